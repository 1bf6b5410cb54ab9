"""A disk that fails to sync: the caller hears of it, and what was answered is there after a cut.

When a sync fails, the system may give the unwritten data up and call it written; a second sync then
succeeds and has written nothing. So a commit whose sync failed must count as not done. The recorder
of power cuts lets every so many syncs fail, and the power goes at a random moment afterwards.
"""

from pathlib import Path
from random import Random

from dashboards.faults.power import NotRecorded, Trace, recorded, shares, trials
from dashboards.faults.trial import Tally

EVERY = (3, 4, 6)  # of so many syncs one fails
PER_TRACE = 100


def run(rng: Random, scratch: Path, count: int) -> Tally:
    """Cut the power `count` times on disks whose syncs fail, and a tenth of that of the control."""
    tally = Tally(
        "syncs that fail",
        "an acknowledged entry lost or changed, a gap, a broken root, an anchor ahead, a damaged"
        " file, or a server that does not go on",
        "a disk that says that all is well when a sync failed",
        model="What a failed sync did not write is lost, unless the server writes it anew.",
    )
    tally.trials, tally.control_trials = count, max(20, count // 10)
    tally.violations = sum(_cuts(rng, scratch / "real", count, tally=tally))
    tally.control_violations = sum(_cuts(rng, scratch / "control", tally.control_trials))
    return tally


def _cuts(rng: Random, scratch: Path, count: int, *, tally: Tally | None = None) -> list[bool]:
    scratch.mkdir()
    options = {"FAULTS_SYNC_FAILS": str(rng.choice(EVERY) if tally else EVERY[0])}
    if tally is None:
        options["FAULTS_SYNC_LIES"] = "1"
    found = list[bool]()
    traces = recorded(scratch, rng, max(2, count // PER_TRACE), options=options)
    for trace, cuts in zip(traces, shares(count, len(traces)), strict=True):
        _check_failed(trace)
        if tally is not None:
            tally.count("syncs that failed", trace.failed_syncs)
        found += trials(trace, rng, scratch, cuts=cuts, tally=tally)
    return found


def _check_failed(trace: Trace) -> None:
    if not trace.failed_syncs:
        raise NotRecorded("no sync failed: the trials would all pass for nothing")
