"""The check of what is stored: bodies against hashes, columns, links and checkpoints."""

from collections.abc import Iterator

from core.errors import LedgerBroken
from core.ledger.anchor import AnchorBroken, AnchorFolder
from core.ledger.checkpoint import Checkpoint, Verifier, verify
from core.ledger.entry import LEAF_HEX, decode
from core.ledger.merkle import Range, leaf_hash
from core.ledger.store import Ledger
from core.ledger.tables import EntryRow

STEP = 5_000


class EntryBroken(LedgerBroken):
    """A stored entry is not what was committed."""

    def __init__(self, seq: int, why: str) -> None:
        super().__init__(f"Entry {seq}: {why}. Stop, and call QA.")
        self.seq = seq


def check_row(row: EntryRow, seq: int) -> None:
    """Refuse a row whose number, hash or columns are not those of its stored bytes.

    Raises:
        EntryBroken: with the first difference.
    """
    if row.seq != seq:
        raise EntryBroken(seq, f"is missing; the next stored is {row.seq}")
    if leaf_hash(row.body) != row.leaf:
        raise EntryBroken(seq, "the stored bytes do not have the stored hash")
    try:
        entry = decode(row.body)
    except ValueError as fault:
        raise EntryBroken(seq, str(fault)) from fault
    if (entry.seq, entry.stream, entry.ver, entry.type, entry.idem) != (
        row.seq, row.stream, row.ver, row.type, row.idem,
    ):  # fmt: skip
        raise EntryBroken(seq, "the columns do not agree with the stored bytes")


def rows(ledger: Ledger, after: int = 0) -> Iterator[EntryRow]:
    """Yield every stored row above `after`, checked.

    Raises:
        EntryBroken: at the first row that does not hold.
    """
    seq = after
    while chunk := ledger.rows(seq, STEP):
        for row in chunk:
            seq += 1
            check_row(row, seq)
            yield row


def audit(ledger: Ledger, verifier: Verifier) -> Checkpoint | None:
    """Check every entry, every stream and the newest checkpoint; return that checkpoint.

    The tiles, from which older roots are computed, must lead to the same root: else an anchor
    would be compared with a tree that is not the entries'.

    Reads the whole ledger: for the nightly check and the office, not for a page.

    Raises:
        LedgerBroken: with the first entry that does not hold, or the checkpoint.
    """
    checkpoint = ledger.checkpoint()
    tree, heads = Range(), dict[str, tuple[int, str]]()
    for row in rows(ledger):
        if checkpoint is None or row.seq > checkpoint.size:
            newest = ledger.checkpoint()  # whoever sees an entry can see its checkpoint
            if newest is None or newest.size < row.seq:
                raise EntryBroken(row.seq, "is stored, and no checkpoint covers it")
            break  # committed after the checkpoint was read
        entry = decode(row.body)
        ver, leaf = heads.get(entry.stream, (0, None))
        if entry.ver != ver + 1 or entry.prev != leaf:
            raise EntryBroken(row.seq, f"does not follow version {ver} of {entry.stream}")
        heads[entry.stream] = (entry.ver, row.leaf.hex())
        tree.add(row.leaf)
    if checkpoint is not None:
        check_checkpoint(checkpoint, tree, verifier)
        if ledger.root(checkpoint.size) != checkpoint.root:
            raise LedgerBroken(
                f"Checkpoint {checkpoint.size}: the stored tiles lead to another root."
                " Stop, and call QA."
            )
    return checkpoint


def check_checkpoint(checkpoint: Checkpoint, tree: Range, verifier: Verifier) -> None:
    """Refuse a stored checkpoint that is not signed, or not of this tree."""
    signed = verify(checkpoint.note, verifier)
    if signed[:2] != checkpoint[:2]:
        raise LedgerBroken(f"Checkpoint {checkpoint.size}: its columns are not its note. Call QA.")
    if tree.size != checkpoint.size:
        raise LedgerBroken(
            f"Checkpoint {checkpoint.size}: {tree.size} entries are stored. Stop, and call QA."
        )
    if tree.root() != checkpoint.root:
        raise LedgerBroken(
            f"Checkpoint {checkpoint.size}: the stored entries lead to another root."
            " Stop, and call QA."
        )


def check_anchors(ledger: Ledger, folder: AnchorFolder, verifier: Verifier) -> None:
    """Refuse a ledger that is behind, or beside, a checkpoint kept outside.

    Raises:
        AnchorBroken: with the copy that the ledger does not agree with.
    """
    copies = folder.checkpoints(verifier)
    size = ledger.size()  # read after them: others may be writing
    for path, anchored in copies:
        if anchored.size > size:
            raise AnchorBroken(path, anchored.size, f"holds only {size}")
        if ledger.root(anchored.size) != anchored.root:
            raise AnchorBroken(path, anchored.size, "has another root at that size")


def check_outside(ledger: Ledger) -> None:
    """Refuse a ledger that does not agree with a root that a place outside confirmed.

    A time stamp holds no root of its own: `core.ledger.timestamp.check_stamps` looks at those.

    Raises:
        LedgerBroken: with the first place that confirmed something else.
    """
    anchors = ledger.anchors()
    size = ledger.size()  # read after them: others may be writing
    for row in anchors:
        if not LEAF_HEX.fullmatch(row.receipt):
            continue
        if row.size > size:
            raise LedgerBroken(
                f"Anchor at {row.place}: covers {row.size} entries, the ledger holds {size}."
                " Stop, call QA, and restore the newest backup."
            )
        if ledger.root(row.size).hex() != row.receipt:
            raise LedgerBroken(
                f"Anchor at {row.place}: has another root at {row.size} entries. Stop, and call QA."
            )
