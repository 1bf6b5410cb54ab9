"""IQ of machine and program: system, Python, packages, own files, SQLite, clock, paper."""

import ctypes
import os
import platform
import sqlite3
import sys
import sysconfig
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from config.load import load_plant
from config.settings import PREFIX
from core.clock import now
from dashboards.qualify import own_files, packages
from dashboards.qualify.script import Found, NotRun, Script, script
from dashboards.record.blocks import Section, told
from dashboards.record.typeset import local, printed

OLDEST = (3, 12)
SAFE_SQLITE = (3, 51, 3)
UNSYNCHRONIZED = 0x0040  # STA_UNSYNC of adjtimex(2)
WATCHED_S = 2
DRIFT_MS = 100
PROBE = Path(__file__).with_name("probe.typ")


@dataclass(frozen=True, slots=True, kw_only=True)
class Install:
    """What is looked at: the plant pack by name or folder, and the plant's data where named."""

    plant: str
    data: Path
    store: str | None


@script(
    "IQ-01",
    "Machine and Python",
    shows=("P2",),
    clauses=("21 CFR 11.10(a)", "EU Annex 11 (2011) §4"),
    steps=("Read what system, processor and Python this is.",),
    expected="CPython 3.12 or newer, 64 bit, running with its assertions on.",
)
def machine(_: Install, found: Found) -> None:
    """The program runs on what it was made for."""
    version = sys.version_info[:3]
    shown = ".".join(map(str, version))
    found.must(
        version[:2] >= OLDEST and platform.python_implementation() == "CPython",
        f"{platform.python_implementation()} {shown}, at {sys.executable}.",
    )
    found.must(sys.maxsize > 2**32, f"{platform.architecture()[0]} on {platform.machine()}.")
    found.must(
        sys.flags.optimize == 0,
        "Assertions are on.",
        otherwise="Python runs with -O, which takes the program's assertions out.",
    )
    found.note(f"{platform.platform()}, {os.cpu_count()} processors, host {platform.node()}.")
    found.values |= {
        "python": shown, "system": platform.platform(), "host": platform.node(),
        "processors": os.cpu_count(), "abi": sysconfig.get_config_var("SOABI"),
    }  # fmt: skip


@script(
    "IQ-02",
    "The program's own files are the released ones",
    shows=("P2", "P3"),
    clauses=("21 CFR 11.10(a)", "21 CFR 11.10(k)", "EU Annex 11 (2011) §10"),
    steps=(
        "Hash every file of the program, and compare it with the wheel's or the commit's hash.",
    ),
    expected="No file differs, none is missing, none was added.",
)
def program(_: Install, found: Found) -> None:
    """What runs here is what was released, file by file."""
    try:
        it = own_files.compared()
    except own_files.Unknown as why:
        raise NotRun(str(why)) from why
    found.note(f"Version {own_files.version()}, compared with {it.against}.")
    for name, files in (
        ("differ", it.changed),
        ("are missing", it.missing),
        ("were added", it.added),
    ):
        named = ", ".join(files[:20]) + (" and more" if len(files) > 20 else "")
        found.must(
            not files,
            f"{len(files)} of {it.files} files {name}.",
            otherwise=f"{len(files)} of {it.files} files {name}: {named}.",
        )
    content = own_files.content_sha256()
    found.note(f"All files together have the SHA-256 {content}.")
    found.values |= {
        "version": own_files.version(), "against": it.against, "content_sha256": content,
        "changed": list(it.changed), "missing": list(it.missing), "added": list(it.added),
    }  # fmt: skip


@script(
    "IQ-03",
    "Locked packages are installed as they were locked",
    shows=("P2", "P3"),
    clauses=("21 CFR 11.10(a)", "EU Annex 11 (2011) §3", "EU Annex 11 (2011) §10"),
    steps=(
        "Read requirements.lock, and compare each version with what is installed.",
        "Hash every file of each package, and compare it with the hash that its wheel brought.",
    ),
    expected="Each package that the program needs is there in its locked version; no installed"
    " locked package has another version; no file differs and none is missing.",
)
def locked(_: Install, found: Found) -> None:
    """What others made is what was tested with this version."""
    lock = packages.lock_file()
    if lock is None:
        raise NotRun("requirements.lock is not beside the program. Install the released wheel.")
    text = lock.read_bytes()
    wanted = [one for one in packages.pins(text.decode("utf-8")) if one.applies]
    here = {one.name: it for one in wanted if (it := packages.installed(one.name)) is not None}
    needed = packages.needed()
    absent = [one.name for one in wanted if one.name not in here]
    lacking = [name for name in absent if name in needed]
    unlocked = sorted(needed - {one.name for one in wanted})
    other = [
        f"{one.name} {here[one.name].version} instead of {one.version}"
        for one in wanted
        if one.name in here and here[one.name].version != one.version
    ]
    found.note(
        f"{len(wanted)} packages locked for this system, {len(here)} installed; {len(absent)} that"
        " only tests need are not."
    )
    found.must(not lacking, "Every package that the program needs is installed.",
               otherwise=f"Not installed: {', '.join(lacking)}.")  # fmt: skip
    found.must(not unlocked, "Every package that the program needs is locked.",
               otherwise=f"Needed and not locked: {', '.join(unlocked)}.")  # fmt: skip
    found.must(not other, "Each has its locked version.", otherwise=f"{'; '.join(other)}.")
    results = [packages.checked(it) for it in here.values()]
    files = sum(one.files for one in results)
    wrong = [f"{one.name}: {name}" for one in results for name in (*one.changed, *one.missing)]
    wrong += [f"{one.name}: carries no hashes" for one in results if one.files == 0]
    found.must(
        not wrong,
        f"{files} files have the hash that their wheel brought.",
        otherwise=f"{len(wrong)} of {files} files differ or are missing: {'; '.join(wrong[:20])}.",
    )
    found.note(f"requirements.lock has the SHA-256 {sha256(text).hexdigest()}.")
    found.values |= {
        "lock_sha256": sha256(text).hexdigest(),
        "packages": [
            {
                "name": one.name, "version": one.version, "files": one.files,
                "record_sha256": one.record_sha256, "holds": one.holds,
            }
            for one in results
        ],
        "not_installed": absent,
    }  # fmt: skip


@script(
    "IQ-04",
    "SQLite is safe for one writer, or for several",
    shows=("P2", "H5"),
    clauses=("EU Annex 11 (2011) §7.1",),
    steps=("Read SQLite's version, and how it treats threads.",),
    expected="Threads are safe. Before 3.51.3 a file that two connections write can be damaged:"
    " then the lock of the ledger, which IQ-11 tries, is what keeps a second writer out.",
)
def sqlite(_: Install, found: Found) -> None:
    """The database library does what the ledger relies on."""
    version = sqlite3.sqlite_version_info
    found.must(
        sqlite3.threadsafety == 3,
        f"Thread safety of the library: {sqlite3.threadsafety}, must be 3.",
    )
    if version >= SAFE_SQLITE:
        found.note(f"SQLite {sqlite3.sqlite_version}: has the repair of 3.51.3.")
    else:
        found.note(
            f"SQLite {sqlite3.sqlite_version}: is older than 3.51.3, so one process alone may"
            " write. The ledger's lock sees to that; put nothing else on the file."
        )
    found.values["sqlite"] = sqlite3.sqlite_version


class _Timex(ctypes.Structure):
    """The first fields of Linux' `struct timex`, and room for what the kernel writes beyond."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_byte * 512),
    )


def synchronized() -> tuple[bool, int]:
    """Return whether the kernel's clock is synchronized, and its greatest error in microseconds.

    Raises:
        NotRun: this system does not say.
    """
    if sys.platform != "linux":
        raise NotRun(
            "This system does not tell whether its clock is synchronized. See its settings."
        )
    timex = _Timex()
    state = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.byref(timex))
    if state < 0:
        raise NotRun(f"The kernel does not tell: {os.strerror(ctypes.get_errno())}.")
    return not timex.status & UNSYNCHRONIZED, int(timex.maxerror)


@script(
    "IQ-05",
    "The clock is synchronized",
    shows=("C5", "P2"),
    clauses=("21 CFR 11.10(e)", "EU Annex 11 (2011) §12.4"),
    steps=("Ask the kernel whether a time service keeps the clock.",),
    expected="It is kept, with an error below one second.",
)
def time_source(_: Install, found: Found) -> None:
    """The times in the records are right."""
    kept, error_us = synchronized()
    found.must(
        kept and error_us < 1_000_000,
        f"The kernel's clock is synchronized, its greatest error {error_us} µs.",
        otherwise=f"The kernel's clock is not synchronized, its greatest error {error_us} µs."
        " Set up NTP or PTP on this host.",
    )
    found.note(
        f"Time zone of the host: {', '.join(time.tzname)}; now {now():%Y-%m-%d %H:%M:%S} UTC."
    )


@script(
    "IQ-06",
    "The clock runs evenly",
    shows=("C5",),
    clauses=("21 CFR 11.10(e)",),
    steps=("Compare the clock for two seconds with one that nobody can set.",),
    expected="The two differ by less than 100 ms.",
)
def time_runs(_: Install, found: Found) -> None:
    """Nothing sets the clock while the plant records."""
    wall, steady = now(), time.monotonic()
    time.sleep(WATCHED_S)
    passed = time.monotonic() - steady
    apart_ms = abs((now() - wall).total_seconds() - passed) * 1000
    found.must(apart_ms < DRIFT_MS, f"{apart_ms:.1f} ms apart after {passed:.1f} s.")


@script(
    "IQ-07",
    "The plant pack has no faults",
    shows=("O3", "P3"),
    clauses=("21 CFR 11.10(k)", "EU Annex 11 (2011) §10"),
    steps=("Read the plant pack as the server does, and hash its files.",),
    expected="No fault; the content has a hash that later runs are compared with.",
)
def plant_pack(it: Install, found: Found) -> None:
    """The plant is set up by the files that were approved."""
    pack = load_plant(it.plant)
    files = sorted(path for path in pack.folder.iterdir() if path.is_file())
    hashes = {path.name: sha256(path.read_bytes()).hexdigest() for path in files}
    lines = "".join(f"{digest}  {name}\n" for name, digest in hashes.items())
    content = sha256(lines.encode()).hexdigest()
    found.note(f"{pack.plant.plant.name} ({pack.id}), {len(files)} files, at {pack.folder}.")
    found.note(f"The pack's content has the SHA-256 {content}.")
    found.values |= {"pack": pack.id, "content_sha256": content, "files": hashes}


@script(
    "IQ-08",
    "Records can be set on paper",
    shows=("I7", "P2"),
    clauses=("21 CFR 11.10(b)", "EU Annex 11 (2011) §8.1"),
    steps=("Set a page twice with the fonts that travel with the program.",),
    expected="PDF/A, the same bytes both times.",
)
def paper(_: Install, found: Found) -> None:
    """A record can be printed here, without fonts of the host."""
    at = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    section = Section("Probe", (told(("Signs", "äöüß µ ± ≤ № Ω Ж")),))
    about = {"title": "Qualification probe", "at": local(at, UTC)}  # type: ignore[arg-type]
    first, second = (printed(PROBE, (section,), about, at=at, inputs={}) for _ in range(2))
    is_archive = b"pdfaid:part" in first and first.startswith(b"%PDF-")
    found.must(is_archive, f"{len(first)} bytes, PDF/A: {is_archive}.")
    found.must(first == second, f"Twice the same bytes: {first == second}.")
    typst = packages.installed("typst")
    found.note(f"typst {typst.version if typst else 'unknown'}.")
    found.values |= {"pdf_sha256": sha256(first).hexdigest()}


@script(
    "IQ-09",
    "What the environment sets is known",
    shows=("P3",),
    clauses=("EU Annex 11 (2011) §10",),
    steps=("List the variables that begin with BATCHWRIGHT_; values stay out.",),
    expected="The list is in the report, for the configuration's record.",
)
def environment(_: Install, found: Found) -> None:
    """What a server here would be told from outside stands in the record."""
    names = sorted(name for name in os.environ if name.startswith(PREFIX))
    found.note(f"{len(names)} variables: {', '.join(names) or 'none'}.")
    found.values["variables"] = names


SCRIPTS: tuple[Script[Install], ...] = (
    machine, program, locked, sqlite, time_source, time_runs, plant_pack, paper, environment,
)  # fmt: skip
