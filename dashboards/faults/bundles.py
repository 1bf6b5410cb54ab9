"""Exported bundles that were changed so that two readers might see two things.

Every attack is written into a fresh copy of a genuine bundle and given to the verifier that
travels with it. The control is a reader as one is written in an afternoon: it takes the last of
two equal keys, `1_0` for ten, what base64 skips, and the key of the bundle itself.
"""

import base64
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from random import Random

from core.ledger.checkpoint import LogKey, sign
from core.ledger.export import export_bundle, export_streams
from core.ledger.merkle import Range, leaf_hash
from core.ledger.sqlite import SqliteStore
from core.ledger.store import open_ledger
from core.verify.bundle import Broken
from core.verify.key_notes import parse_vkey
from core.verify.proof import verify
from core.verify.public_keys import signature_holds
from dashboards.faults.trial import KEY, Tally, fill, writing

ENTRIES = 24
OTHER = LogKey(KEY.name, bytes(32))
type Attack = Callable[[Random, Path], None]


def _line(rng: Random, bundle: Path, change: Callable[[bytes], bytes]) -> None:
    """Change one line of the entries, hash included, so that only its form can be seen."""
    lines = (bundle / "entries.jsonl").read_bytes().splitlines(keepends=True)
    place = rng.randrange(len(lines))
    lines[place] = change(lines[place])
    _put_lines(bundle, lines)


def _put_lines(bundle: Path, lines: list[bytes], *, key: LogKey | None = KEY) -> None:
    """Store lines with their hashes, and the note that whoever holds the key can sign over them."""
    (bundle / "entries.jsonl").write_bytes(b"".join(lines))
    if not (bundle / "leaves.txt").exists():
        return
    tree, leaves = Range(), list[bytes]()
    for line in lines:
        leaf = leaf_hash(line.removesuffix(b"\n"))
        tree.add(leaf)
        leaves.append(leaf.hex().encode() + b"\n")
    (bundle / "leaves.txt").write_bytes(b"".join(leaves))
    if key is not None:
        _note(bundle, lambda _: sign(key, tree.size, tree.root()).note)


def _note(bundle: Path, change: Callable[[str], str]) -> None:
    path = bundle / "checkpoint"
    path.write_bytes(change(path.read_bytes().decode("utf-8")).encode("utf-8"))


def duplicate_key(rng: Random, bundle: Path) -> None:
    """Say the actor twice: which one a reader takes is its own affair."""
    _line(rng, bundle, lambda line: line.replace(b'{"actor":', b'{"actor":"eve","actor":', 1))


def not_a_number(rng: Random, bundle: Path) -> None:
    """Put NaN where a text was."""
    _line(rng, bundle, lambda line: line.replace(b'"1000.50"', b"NaN", 1))


def underscored_size(rng: Random, bundle: Path) -> None:
    """Write the size as Python reads it and nobody else does."""
    _note(bundle, lambda note: _resized(note, lambda size: f"{size[0]}_{size[1:]}"))


def padded_size(rng: Random, bundle: Path) -> None:
    """Write the size with a sign, a space or a zero."""
    mark = rng.choice(("+", " ", "0"))
    _note(bundle, lambda note: _resized(note, lambda size: mark + size))


def _resized(note: str, change: Callable[[str], str]) -> str:
    origin, size, rest = note.split("\n", 2)
    return _signed(f"{origin}\n{change(size)}\n" + rest.split("\n")[0] + "\n")


def _signed(text: str) -> str:
    blob = base64.b64encode(KEY.verifier.key_id + KEY.sign(text.encode())).decode("ascii")
    return f"{text}\n— {KEY.name} {blob}\n"


def junk_in_base64(rng: Random, bundle: Path) -> None:
    """Put characters into base64 that many readers skip."""

    def change(note: str) -> str:
        origin, size, root, *_ = note.split("\n")
        place = rng.randrange(1, len(root))
        return _signed(f"{origin}\n{size}\n{root[:place]}{rng.choice('!$%&~')}{root[place:]}\n")

    _note(bundle, change)


def two_empty_lines(rng: Random, bundle: Path) -> None:
    """Put a text of another size before the signed one, behind an empty line of its own."""
    _note(
        bundle, lambda note: note.split("\n", 2)[0] + "\n1\n" + note.split("\n")[2] + "\n\n" + note
    )


def other_key(rng: Random, bundle: Path) -> None:
    """Sign another log with a key of the same name, and put that key into the bundle."""
    lines = (bundle / "entries.jsonl").read_bytes().splitlines(keepends=True)
    _put_lines(bundle, [line.replace(b"1000.50", b"9000.50") for line in lines], key=OTHER)
    _note(bundle, lambda note: sign(OTHER, int(note.split("\n")[1]), _root(note)).note)
    (bundle / "log.vkey").write_text(OTHER.vkey + "\n", "ascii")


def _root(note: str) -> bytes:
    return base64.b64decode(note.split("\n")[2])


def empty(rng: Random, bundle: Path) -> None:
    """Take everything out of one file."""
    (bundle / rng.choice(("entries.jsonl", "checkpoint", "log.vkey"))).write_bytes(b"")


def cut_short(rng: Random, bundle: Path) -> None:
    """End one file early, at any byte."""
    path = bundle / rng.choice(("entries.jsonl", "checkpoint"))
    whole = path.read_bytes()
    path.write_bytes(whole[: rng.randrange(len(whole))])


def last_line_gone(rng: Random, bundle: Path) -> None:
    """Take the newest entry out, and leave the note as it is."""
    lines = (bundle / "entries.jsonl").read_bytes().splitlines(keepends=True)
    _put_lines(bundle, lines[:-1], key=None)


def spaced(rng: Random, bundle: Path) -> None:
    """Write one entry with a space that changes its bytes and not its meaning."""
    _line(rng, bundle, lambda line: line.replace(b":", b": ", 1))


ATTACKS: tuple[Attack, ...] = (
    duplicate_key, not_a_number, underscored_size, padded_size, junk_in_base64, two_empty_lines,
    other_key, empty, cut_short, last_line_gone, spaced,
)  # fmt: skip


def run(rng: Random, scratch: Path, count: int) -> Tally:
    """Attack `count` bundles, whole logs and batches in turn; read a tenth of that unchanged."""
    tally = Tally(
        "changed bundles",
        "a changed bundle that the verifier takes, an answer that is no refusal of its own, or an"
        " intact bundle that it refuses",
        "a reader without strictness, which takes the key from the bundle",
        model="The verifier is given the key from outside.",
    )
    path = scratch / "ledger.db"
    with writing(SqliteStore(path)) as writer:
        fill(writer, ENTRIES)
    ledger = open_ledger(path)
    try:
        export_bundle(ledger, scratch / "whole", vkey=KEY.vkey)
        export_streams(ledger, ["batch/B1", "batch/B2"], scratch / "part", vkey=KEY.vkey)
    finally:
        ledger.close()
    for trial in range(count):
        attack, kind = ATTACKS[trial % len(ATTACKS)], ("whole", "whole", "part")[trial % 3]
        copy = Path(shutil.copytree(scratch / kind, scratch / "copy"))
        attack(rng, copy)
        _judge(tally, copy, attack.__name__)
        shutil.rmtree(copy)
    for trial in range(max(2, count // 10)):
        verify(str(scratch / ("whole", "part")[trial % 2]), KEY.vkey, None)
        tally.count("intact")
    return tally


def _judge(tally: Tally, bundle: Path, attack: str) -> None:
    tally.trials += 1
    try:
        verify(str(bundle), KEY.vkey, None)
    except Broken:
        tally.count("refused")
    except Exception as fault:  # nothing is proven, but the verifier should say why
        tally.violations += 1
        tally.find(f"{attack}: {type(fault).__name__}: {fault}")
    else:
        tally.violations += 1
        tally.find(f"{attack}: taken")
    if (bundle / "leaves.txt").exists():
        tally.control_trials += 1
        tally.control_violations += _lenient(bundle)


def _lenient(bundle: Path) -> bool:
    """The control: read a whole log as one reads JSON and base64 without further thought."""
    try:
        note = (bundle / "checkpoint").read_text("utf-8")
        text, _, signatures = note.rpartition("\n\n")
        _, size, root = text.rpartition("\n\n")[2].split("\n")[:3]
        public = parse_vkey((bundle / "log.vkey").read_text("utf-8")).public
        blob = base64.b64decode(signatures.split()[-1])
        if not signature_holds(public, blob[4:], (text + "\n").encode("utf-8")):
            return False
        tree = Range()
        for line in (bundle / "entries.jsonl").read_bytes().splitlines():
            json.loads(line)
            tree.add(leaf_hash(line))
        return tree.size == int(size) and tree.root() == base64.b64decode(root)
    except Exception:  # it has no refusals of its own
        return False
