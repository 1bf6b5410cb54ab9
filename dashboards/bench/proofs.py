"""What is made from the ledger: the stand-alone verifier, a batch's bundle, the projections."""

import hashlib
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import batched
from pathlib import Path
from typing import Any

from config.accounts import new_accounts
from config.load import load_plant
from config.seed import seed
from core.ledger.answer import Answer
from core.ledger.checkpoint import LogKey, sign
from core.ledger.entry import Entry
from core.ledger.export import export_streams
from core.ledger.job import Decision, Draft, Job, NoHooks, Receipt
from core.ledger.merkle import Range, leaf_hash
from core.ledger.sqlite import SqliteStore
from core.ledger.store import Ledger, open_ledger, open_store
from core.ledger.writer import Writer
from core.projections.nouns import prepare
from core.verify.one_file import one_file
from core.verify.proof import verify
from dashboards.bench.appends import AT, KEY
from dashboards.bench.measure import Measure, busy_s, measured
from dashboards.bench.peers import body_of
from dashboards.compose import open_execution

STREAMS = 997
MILLION = 1_000_000
GROUP = 200
AHEAD = 4  # commands that wait for the writer


def make_bundle(folder: Path, size: int) -> None:
    """Write a whole log of weighings, as an export would."""
    folder.mkdir()
    tree, heads = Range(), dict[str, tuple[int, str | None]]()
    with (folder / "entries.jsonl").open("wb") as entries, (folder / "leaves.txt").open("wb") as f:
        for seq in range(1, size + 1):
            stream = f"batch/B26-{seq % STREAMS:04d}"
            ver, prev = heads.get(stream, (0, None))
            body = body_of(seq, stream, ver=ver + 1, prev=prev)
            leaf = leaf_hash(body)
            heads[stream] = (ver + 1, leaf.hex())
            tree.add(leaf)
            entries.write(body + b"\n")
            f.write(leaf.hex().encode() + b"\n")
    note = sign(KEY, size, tree.root()).note
    (folder / "checkpoint").write_text(note, "utf-8")
    (folder / "log.vkey").write_text(KEY.vkey + "\n", "utf-8")
    files = sorted(folder.iterdir())
    lines = [f"{hashlib.sha256(p.read_bytes()).hexdigest()}  {p.name}\n" for p in files]
    (folder / "manifest-sha256.txt").write_text("".join(lines), "utf-8")


def verifying(scratch: Path, *, size: int, slices: int) -> Iterator[Measure]:
    """The verifier in a process of its own, and hashing the same lines and nothing else."""
    bundle = scratch / "bundle"
    make_bundle(bundle, size)
    program = scratch / "verify.py"
    program.write_bytes(one_file().encode("utf-8"))
    lines = (bundle / "entries.jsonl").read_bytes().split(b"\n")[:-1]
    verified, shares, worked = [], [], []
    for _ in range(slices):
        start, busy = time.perf_counter(), busy_s()
        done = subprocess.run(  # noqa: S603  (our own verifier)
            [sys.executable, "-I", str(program), str(bundle)],
            stdout=subprocess.PIPE, encoding="utf-8",
        )  # fmt: skip
        took = time.perf_counter() - start
        worked.append((busy_s() - busy) * MILLION / size)
        assert done.returncode == 0, done.stdout
        start = time.perf_counter()
        for line in lines:
            hashlib.sha256(b"\0" + line).digest()
        hashed = time.perf_counter() - start
        verified.append(size / took)
        shares.append(hashed / took)
    yield measured(
        "verify, whole log", verified, unit="entries/s", against="the target alone",
        at_least=120_000, note=f"{size} entries, its start included",
    )  # fmt: skip
    yield measured(
        "verify, against hashing alone", shares, unit="of the hashing rate",
        against="SHA-256 of each line", note=f"{size} entries",
    )  # fmt: skip
    yield measured(
        "verify, processor time an entry", worked, unit="us",
        against="the same turns, all its processes together",
    )  # fmt: skip


def batch_bundle(scratch: Path, *, entries: int, slices: int) -> Measure:
    """A batch's own bundle, checked within a running program."""
    store, out = SqliteStore(scratch / "batches.db"), scratch / "batch"
    drafts = [
        Draft(f"batch/B26-{n % 10:04d}", "weighing.weight-recorded", 1, {"n": n, "net_g": "1.50"})
        for n in range(entries * 10)
    ]
    append(store, drafts, KEY)
    ledger = Ledger(store)
    export_streams(ledger, ["batch/B26-0003"], out, vkey=KEY.vkey)
    ledger.close()
    found = []
    for _ in range(slices):
        start = time.perf_counter()
        verify(str(out), None, None)
        found.append((time.perf_counter() - start) * 1000)
    return measured(
        "verify, batch bundle", found, unit="ms", against="the target alone", at_most=50,
        note=f"{entries} entries of a log of {entries * 10}",
    )  # fmt: skip


def append(store: SqliteStore, drafts: Iterable[Draft], key: LogKey) -> None:
    """Append drafts through the real writer, many per command, and few commands at a time."""
    writer = Writer(store, key, NoHooks())
    writer.start()
    waiting = deque[Answer[Receipt]]()
    for number, some in enumerate(batched(drafts, GROUP)):
        idem = f"bench:{number}"
        digest = hashlib.sha256(idem.encode()).hexdigest()

        def decide(view: object, some: tuple[Draft, ...] = some) -> Decision:
            return Decision(some)

        waiting.append(writer.submit(Job(idem, digest, "ama", None, lambda: AT, decide)))
        if len(waiting) > AHEAD:
            waiting.popleft().result(600)
    for one in waiting:
        one.result(600)
    writer.close()
    store.close()


def rebuild(scratch: Path, data: Path | None, *, size: int, slices: int) -> Iterator[Measure]:
    """All projections anew, from a plant's entries that are repeated under other names."""
    source = data or _seeded(scratch / "seeded")
    ledger = open_ledger(source)
    entries = _all(ledger)
    ledger.close()
    path = scratch / "rebuild.db"
    append(SqliteStore(path), _repeated(entries, size), KEY)
    found, worked = [], []
    for _ in range(slices):
        start, busy = time.perf_counter(), busy_s()
        prepare(open_store(path), anew=True)
        found.append((time.perf_counter() - start) * MILLION / size)
        worked.append((busy_s() - busy) * MILLION / size)
    whose = "a seeded plant" if data is None else str(data)
    yield measured(
        "rebuild, per million entries", found, unit="s", against="the target alone", at_most=10,
        note=f"measured with {size} entries: {len(entries)} of {whose}, repeated",
    )  # fmt: skip
    yield measured(
        "rebuild, processor time of a million entries", worked, unit="s",
        against="the same turns, all its processes together",
    )  # fmt: skip


def _seeded(folder: Path) -> Path:
    pack = load_plant("tablets")
    execution = open_execution(folder, pack.id)
    execution.start()
    try:
        seed(execution, pack, new_accounts(pack), simulated=True)
    finally:
        execution.close()
        execution.secrets.close()
    return folder


def _all(ledger: Ledger) -> list[Entry]:
    found: list[Entry] = []
    while more := ledger.entries(len(found), 5000):
        found += more
    return found


def _repeated(entries: list[Entry], size: int) -> Iterator[Draft]:
    for number in range(size):
        turn, place = divmod(number, len(entries))
        one = entries[place]
        data: dict[str, Any] = dict(one.data)
        if one.type == "step.verified":  # one verification a step and batch
            data["batch"] = f"{data['batch']}-{turn}"
        yield Draft(f"{one.stream}-{turn}", one.type, one.v, data, one.reason)
