"""Closed revisions of a record: the hash of the content at a decision is kept, and holds for ever.

Revision 1 is the record as of the entry that closed the batch, revision 2 as of the decision about
its first amendment, and so on. Each can be made anew at any time, byte for byte.
"""

import logging
import queue
import threading
from collections import Counter

from core.batch.amendment import Amendment, AmendmentState, amendments
from core.batch.state import Batch
from core.batch_record.model import FORM, record_json, record_sha256
from core.batch_record.read import closed_at, read_record
from core.command_id import new_command_id
from core.errors import LedgerBroken, MesError, Unknown, WrongState
from core.execution import Actor, Execution
from core.ledger.entry import Entry
from core.ledger.store import Ledger
from core.projections.nouns import Nouns
from core.record_print import CloseRecord, Prints

ARCHIVE = Actor("service:archive")
CLOSES = {"batch.closed", "amendment.released", "amendment.rejected"}
log = logging.getLogger("batchwright.record")


class OtherForm(LedgerBroken):
    """A closed revision was written in another form than this server's."""

    def __init__(self, batch: str, revision: int, *, form: str, sha256: str) -> None:
        super().__init__(
            f"Record of {batch}, revision {revision}: was closed in form {form} with content"
            f" {sha256}; this server makes form {FORM}. Take it from the bundle that was exported"
            " then, or call QA where the form is the same."
        )


def ends(ledger: Ledger, batch: str) -> list[int]:
    """Return the entry at which each revision of a batch's record ends, the first one first."""
    closed = closed_at(ledger, batch)
    if closed is None:
        return []
    found = [closed]
    for one in amendments(Nouns(ledger.store), batch):
        if one.state is not AmendmentState.OPEN:
            found.append(ledger.stream(f"amendment/{one.amendment}")[-1].seq)
    return found


def closed_json(ledger: Ledger, batch: str, revision: int) -> bytes:
    """Return the JSON of a closed revision, with the very hash that its closing keeps.

    Raises:
        Unknown: no such batch, or that revision is not closed.
        OtherForm: this server cannot make it anew.
    """
    prints = Nouns(ledger.store).get(Prints, batch)
    closings = prints.closings if prints else ()
    closing = next((one for one in closings if one.revision == revision), None)
    if closing is None:
        raise Unknown("Closed record", f"{batch}, revision {revision}")
    record = read_record(ledger, batch, upto=closing.size)
    if record_sha256(record) != closing.content_sha256:
        raise OtherForm(batch, revision, form=closing.form, sha256=closing.content_sha256)
    return record_json(record)


def close_revisions(execution: Execution, batch: str) -> int:
    """Keep the hash of every revision that is complete and not closed yet; return how many."""
    prints = execution.nouns.get(Prints, batch)
    done = len(prints.closings) if prints else 0
    due = ends(execution.ledger, batch)[done:]
    for revision, upto in enumerate(due, done + 1):
        record = read_record(execution.ledger, batch, upto=upto)
        command = CloseRecord(
            batch=batch,
            revision=revision,
            size=upto,
            form=FORM,
            content_sha256=record_sha256(record),
        )
        # Another id for each try: what was refused as evidence would be refused for ever. That a
        # revision is closed once is the rule's own matter.
        idem = f"{ARCHIVE.person}:{batch}:{revision}:{new_command_id()}"
        try:
            execution.submit(command, actor=ARCHIVE, idem=idem)
        except WrongState:  # another process was first
            prints = execution.nouns.get(Prints, batch)
            if prints is None or len(prints.closings) < revision:
                raise
    return len(due)


class Archive:
    """Closes the record of each batch that is decided while the plant runs, and those before."""

    def __init__(self, execution: Execution) -> None:
        self._execution = execution
        self._decided: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="archive", daemon=True)

    def heard(self, entry: Entry) -> None:
        """Take note of a decision."""
        if entry.type in CLOSES:
            self._decided.put(entry.data["batch"])

    def start(self) -> None:
        """Close what was decided before, and go on."""
        self._thread.start()

    def stop(self) -> None:
        """Close what was heard of, then end."""
        self._decided.put(None)
        self._thread.join(30)

    def _run(self) -> None:
        for name in self._open_records():
            self._close(name)
        while (batch := self._decided.get()) is not None:
            self._close(batch)

    def _open_records(self) -> list[str]:
        """Return the decided batches of which a revision is not closed yet."""
        nouns = self._execution.nouns
        decided = Counter(nouns.names_over(Batch))
        decided.update(one.batch for one in nouns.all(Amendment) if one.decided_at is not None)
        closed = {one.batch: len(one.closings) for one in nouns.all(Prints)}
        return [batch for batch, count in decided.items() if closed.get(batch, 0) < count]

    def _close(self, batch: str) -> None:
        try:
            close_revisions(self._execution, batch)
        except (MesError, OSError):  # the next start tries again
            log.exception("event=record-not-closed batch=%s", batch)
