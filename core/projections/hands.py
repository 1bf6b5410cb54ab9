"""Processes that fold ranges of streams for the one that writes them.

Each is a fresh interpreter that knows the fold and nothing else. A pool of the standard library
would import the caller's main module into it as well, and that may be the whole server.
"""

import os
import pickle
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from itertools import islice
from typing import Any

from core.ledger.store import Ledger, Store

PROGRAM = ("-P", "-m", "core.projections.fold_ranges")
AHEAD = 2  # ranges that each has at hand: it goes on while its answer is written


class Gone(Exception):
    """A process could not be started, or ended before its answer."""


class Hand:
    """One process that folds; it answers in the order in which it was asked."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    def ask(self, what: object) -> None:
        """Hand over a store, the first time, or a range."""
        assert self._process.stdin is not None
        try:
            pickle.dump(what, self._process.stdin)
            self._process.stdin.flush()
        except OSError as fault:
            raise Gone from fault

    def answer(self) -> Any:
        """Return what the oldest range that was handed over folds to."""
        assert self._process.stdout is not None
        try:
            return pickle.load(self._process.stdout)  # noqa: S301  (our own process wrote it)
        except (EOFError, OSError, pickle.UnpicklingError) as fault:
            raise Gone from fault


@contextmanager
def hired(store: Store) -> Iterator[Hand]:
    """Start a process for a store; at the end it is gone."""
    paths = os.pathsep.join(path or os.getcwd() for path in sys.path)
    try:
        process = subprocess.Popen(  # noqa: S603  (our own program)
            [sys.executable, *PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # whoever goes on alone meets the same fault, and says it
            env={**os.environ, "PYTHONPATH": paths},
        )  # fmt: skip
    except OSError as fault:
        raise Gone from fault
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        hand = Hand(process)
        hand.ask(store)
        yield hand
    finally:
        process.stdout.close()  # one that is left in the middle of an answer ends here
        with suppress(OSError):
            process.stdin.close()
        process.wait()


def folded_elsewhere[Range](
    store: Store, todo: Iterator[Range], asked: deque[Range], *, jobs: int
) -> Iterator[Any]:
    """Yield what `jobs` processes fold, in order.

    Args:
        store: the ledger's home; its address goes to each process.
        todo: ranges; each is taken when it is soon to be folded.
        asked: gets the ranges that were taken, and loses those whose answer was yielded.
        jobs: how many processes.

    Raises:
        Gone: one could not be started, or ended; `asked` holds what it leaves to do.
    """
    with ExitStack() as until_the_end:
        hands = [until_the_end.enter_context(hired(store)) for _ in range(jobs)]
        given = taken = 0
        while True:
            for within in islice(todo, AHEAD * jobs - len(asked)):
                asked.append(within)
                hands[given % jobs].ask(within)
                given += 1
            if not asked:
                return
            found = hands[taken % jobs].answer()
            taken += 1
            asked.popleft()
            yield found


def serve(fold: Callable[[Ledger, Any], object]) -> None:
    """Fold ranges as they come in, until there are no more."""
    asked, answers = sys.stdin.buffer, sys.stdout.buffer
    ledger = Ledger(pickle.load(asked))  # noqa: S301  (our own caller wrote it)
    try:
        with suppress(EOFError):
            while True:
                pickle.dump(fold(ledger, pickle.load(asked)), answers)  # noqa: S301
                answers.flush()
    finally:
        ledger.close()
