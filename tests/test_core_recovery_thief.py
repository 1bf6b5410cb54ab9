"""What a thief of database and recovery key cannot do, and how each reader judges a recovery."""

import shutil
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.backup.files import digest_of
from core.ledger.anchor import AnchorBroken
from core.ledger.checkpoint import LogKey, NoteBroken, Verifier, load_key, sign, sign_manifest
from core.ledger.entry import Entry, canonical, decode, encode
from core.ledger.export import MANIFEST, SIGNED
from core.ledger.merkle import Tree, leaf_hash
from core.ledger.recovery import RecoveryBroken, check_recoveries, parse_recovery, recovery_note
from core.ledger.rotation import STREAM, read_verifier
from core.ledger.store import open_ledger
from core.log_key import short
from core.verify import key_notes
from core.verify.bundle import Broken
from tests.ledgers import KEY, ORIGIN
from tests.test_core_key_rotation import exported, grown
from tests.test_core_recovery_key import lost, recovered, size_of, with_recovery_key
from tests.verifier import stand_alone

FORMER, SECOND = LogKey(ORIGIN, bytes([4] * 32)), LogKey(ORIGIN, bytes([2] * 32))
FIRST_AWAY = LogKey(f"{ORIGIN}/recovery", bytes([7] * 32))
SECOND_AWAY = LogKey(f"{ORIGIN}/recovery", bytes([8] * 32))
LAST = sign(KEY, 9, bytes([1] * 32))
NOTE = recovery_note(FIRST_AWAY, SECOND, old=KEY.verifier, last=LAST)


# -- a thief of database and recovery key ----------------------------------------------------------


@pytest.fixture(scope="module")
def named_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return with_recovery_key(tmp_path_factory.mktemp("thief") / "plant")


@pytest.fixture
def data(named_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(named_folder, tmp_path / "plant"))


@dataclass
class Thief:
    """He has the plant's folder without its log key, and the recovery key."""

    data: Path
    first: Verifier

    def bundle(self, name: str) -> Path:
        return exported(self.data, self.data.parent / name)

    def sealed(self, out: Path, lines: list[bytes]) -> Path:
        """Sign a history of his own with the key that he recovered."""
        key = load_key(self.data / "keys" / "log.key", self.first.name)
        leaves = [leaf_hash(line) for line in lines]
        tree = Tree(lambda low, high: leaves[low:high])
        note = sign(key, len(lines), tree.root(len(lines))).note
        (out / "entries.jsonl").write_bytes(b"".join(line + b"\n" for line in lines))
        (out / "leaves.txt").write_text("".join(f"{leaf.hex()}\n" for leaf in leaves))
        (out / "checkpoint").write_text(note, "utf-8")
        listed(out, key)
        return out


def listed(out: Path, key: LogKey) -> None:
    (out / SIGNED).unlink(missing_ok=True)
    (out / MANIFEST).unlink()
    names = sorted(path for path in out.rglob("*") if path.is_file())
    text = "".join(f"{digest_of(one)}  {one.relative_to(out).as_posix()}\n" for one in names)
    (out / MANIFEST).write_text(text, "utf-8")
    (out / SIGNED).write_text(sign_manifest(key, text.encode()), "utf-8")


@pytest.fixture
def thief(data: Path) -> Thief:
    first = lost(data)
    recovered(data)
    return Thief(data, first)


@pytest.mark.requirement("H5")
def test_who_has_recovery_key_and_database_cannot_rewrite_what_the_lost_key_signed(
    thief: Thief,
) -> None:
    out = thief.bundle("forged")
    lines = (out / "entries.jsonl").read_bytes().splitlines()
    assert thief.sealed(out, lines)
    assert stand_alone.verify(str(out), thief.first.text, None).startswith("OK: ")
    target = next(
        index for index, line in enumerate(lines)
        if b'"actor":"quinn"' in line and b"person.signed-out" in line
    )  # fmt: skip
    lines[target] = lines[target].replace(b'"actor":"quinn"', b'"actor":"eve"')
    thief.sealed(out, lines)
    with pytest.raises(stand_alone.Broken) as refused:
        stand_alone.verify(str(out), thief.first.text, None)
    size = size_of(thief.data) - 1
    assert str(refused.value) == (
        f"the first {size} entries are not those of the lost key {short(thief.first.text)}"
    )


@pytest.mark.requirement("H5")
def test_who_cuts_the_log_off_and_recovers_is_seen_by_each_anchor_beyond_the_cut(
    data: Path, tmp_path: Path
) -> None:
    cut = Path(shutil.copytree(data, tmp_path / "cut"))
    within = Path(shutil.copyfile(data / "anchors" / "newest.note", tmp_path / "within.note"))
    grown(data, 2)
    beyond = data / "anchors" / "newest.note"
    first = lost(cut)
    recovered(cut)
    for number in range(3, 6):
        grown(cut, number)
    out = exported(cut, tmp_path / "out")
    with pytest.raises(stand_alone.Broken, match="the anchor: is signed by a key that ended at"):
        stand_alone.verify(str(out), first.text, str(beyond))
    assert stand_alone.verify(str(out), first.text, str(within)).startswith("OK: ")
    shutil.copyfile(beyond, cut / "anchors" / "from-the-erp.note")
    with pytest.raises(AnchorBroken, match="the ledger was handed over by that key after"):
        grown(cut, 6)


@pytest.mark.requirement("H5", "H8")
def test_part_of_the_ledger_does_not_lead_over_a_recovery_that_its_entries_might_make_up(
    data: Path, tmp_path: Path
) -> None:
    """A thief of the database alone: an entry that never was names his key, and a link says so."""
    first = read_verifier(data / "keys")
    out = exported(data, tmp_path / "forged", streams=("person/quinn",))
    with closing(open_ledger(data / "ledger.db")) as ledger:
        bodies, last = [body for _, body in ledger.raw(0, 10_000)], ledger.checkpoint()
        person = [body for _, body in ledger.stream_raw("person/quinn")]
        place = ledger.stream_raw("person/quinn")[-1][0]
    assert last is not None
    name = first.name
    own, new = LogKey(f"{name}/recovery", bytes([5] * 32)), LogKey(name, bytes([6] * 32))
    note = recovery_note(own, new, old=first, last=last)
    made_up = _line(
        5, 1, None, "key.recovery-named", {"key": own.vkey, "why": "", "proposed_by": ""}
    )
    said = {"old": first.text, "new": new.vkey, "recovery": own.vkey, "note": note}
    told = _line(last.size + 1, 2, leaf_hash(made_up).hex(), "key.recovered", said)
    leaves = [leaf_hash(body) for body in [*bodies, told]]
    size = len(leaves)
    tree = Tree(lambda low, high: leaves[low:high])

    def proven(stream: str, seq: int) -> dict[str, object]:
        path = [node.hex() for node in tree.inclusion_proof(seq - 1, size)]
        return {"stream": stream, "seq": seq, "proof": path}

    between = [node.hex() for node in tree.consistency_proof(last.size, size)]
    proofs = {
        "streams": [proven("person/quinn", place), proven(STREAM, size)],
        "consistency": [{"size": last.size, "proof": between}],
    }
    lines = sorted([*person, made_up, told], key=lambda line: decode(line).seq)
    (out / "entries.jsonl").write_bytes(b"".join(line + b"\n" for line in lines))
    (out / "proofs.json").write_bytes(canonical(proofs))
    (out / "checkpoint").write_text(sign(new, size, tree.root(size)).note, "utf-8")
    (out / "keys.txt").write_text(note, "utf-8")
    listed(out, new)
    with pytest.raises(stand_alone.Broken, match="only the whole ledger proves"):
        stand_alone.verify(str(out), first.text, None)


def _line(seq: int, ver: int, prev: str | None, kind: str, said: dict[str, Any]) -> bytes:
    entry = Entry(
        seq=seq, stream=STREAM, ver=ver, prev=prev, type=kind, v=1,
        at="2026-03-02T08:15:00.000000Z", actor="service:keys", station=None, idem=f"t:{seq}",
        reason=None, data=said,
    )  # fmt: skip
    return encode(entry)


def test_list_of_files_alone_does_not_lead_over_a_recovery(thief: Thief) -> None:
    out = thief.bundle("list")
    for name in ("entries.jsonl", "leaves.txt", "checkpoint"):
        (out / name).unlink()
    (out / "report.txt").write_text("All is well.", "utf-8")
    key = load_key(thief.data / "keys" / "log.key", thief.first.name)
    listed(out, key)
    with pytest.raises(stand_alone.Broken, match="only the whole ledger proves"):
        stand_alone.verify(str(out), thief.first.text, None)
    assert stand_alone.verify(str(out), key.vkey, None).startswith("OK: ")


# -- the note, and what the entries before must say ------------------------------------------------


def test_recovery_note_is_by_the_lost_key_the_recovery_key_and_the_new_one() -> None:
    found = parse_recovery(NOTE)
    assert (found.entry, found.old, found.new, found.by, found.root) == (
        10, KEY.verifier, SECOND.verifier, FIRST_AWAY.verifier, LAST.root,
    )  # fmt: skip
    stranger = LogKey(ORIGIN, bytes([9] * 32))
    with pytest.raises(NoteBroken, match="9 entries are not signed by"):
        recovery_note(FIRST_AWAY, SECOND, old=stranger.verifier, last=LAST)


@given(st.integers(0, len(NOTE) - 1), st.integers(1, 127))
def test_recovery_note_with_one_changed_sign_hands_nothing_over(place: int, step: int) -> None:
    other = chr((ord(NOTE[place]) + step) % 128)
    changed = NOTE[:place] + other + NOTE[place + 1 :]
    if changed != NOTE:
        with pytest.raises(NoteBroken):
            parse_recovery(changed)
        with pytest.raises((Broken, ValueError)):
            list(key_notes.read_notes(changed))


type Act = tuple[int, str, dict[str, Any]]


def acts(*told: Act) -> list[Entry]:
    return [
        Entry(
            seq=seq, stream=STREAM, ver=ver, prev=None, type=kind, v=1, at="", actor="",
            station=None, idem="", reason=None, data=said,
        )
        for ver, (seq, kind, said) in enumerate(told, 1)
    ]  # fmt: skip


NAMED = "key.recovery-named"
RECOVERS = (10, "key.recovered", {"old": KEY.vkey, "note": NOTE})
ROTATES = (7, "key.rotated", {"old": FORMER.vkey, "note": ""})
HISTORIES: dict[str, tuple[list[Act], str]] = {
    "as it must be": ([(5, NAMED, {"key": FIRST_AWAY.vkey}), RECOVERS], ""),
    "nobody named": ([RECOVERS], "had not named"),
    "another named": ([(5, NAMED, {"key": SECOND_AWAY.vkey}), RECOVERS], "had not named"),
    "replaced": (
        [(4, NAMED, {"key": FIRST_AWAY.vkey}), (5, NAMED, {"key": SECOND_AWAY.vkey}), RECOVERS],
        "had not named",
    ),
    "named afterwards": ([RECOVERS, (11, NAMED, {"key": FIRST_AWAY.vkey})], "had not named"),
    "twice": (
        [(5, NAMED, {"key": FIRST_AWAY.vkey}), RECOVERS, RECOVERS],
        "had not named",
    ),
    "twice, named again": (
        [(5, NAMED, {"key": FIRST_AWAY.vkey}), RECOVERS, (5, NAMED, {"key": FIRST_AWAY.vkey}),
         RECOVERS],
        "had not named",
    ),
    "named under a revoked key": (
        [(5, NAMED, {"key": FIRST_AWAY.vkey}), ROTATES,
         (8, "key.revoked", {"key": FORMER.vkey, "trusted": 4}), RECOVERS],
        "revoked from before",
    ),
    "named under a key trusted up to there": (
        [(5, NAMED, {"key": FIRST_AWAY.vkey}), ROTATES,
         (8, "key.revoked", {"key": FORMER.vkey, "trusted": 5}), RECOVERS],
        "",
    ),
    "revoked after the recovery": (
        [(5, NAMED, {"key": FIRST_AWAY.vkey}), ROTATES, RECOVERS,
         (12, "key.revoked", {"key": FORMER.vkey, "trusted": 4})],
        "",
    ),
}  # fmt: skip


@pytest.mark.requirement("H5")
@pytest.mark.parametrize("name", HISTORIES)
def test_ledger_and_verifier_judge_a_recovery_alike(name: str) -> None:
    told, fault = HISTORIES[name]
    if not fault:
        check_recoveries(acts(*told), lambda _: LAST.root)
        key_notes.check_recoveries(list(told))
        return
    with pytest.raises(RecoveryBroken, match=fault):
        check_recoveries(acts(*told), lambda _: LAST.root)
    with pytest.raises(Broken, match=fault):
        key_notes.check_recoveries(list(told))


def test_recovery_over_another_history_than_the_stored_one_is_refused() -> None:
    told, _ = HISTORIES["as it must be"]
    with pytest.raises(RecoveryBroken, match="are not those that the lost key signed"):
        check_recoveries(acts(*told), lambda _: bytes(32))
