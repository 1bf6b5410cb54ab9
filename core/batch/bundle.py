"""Which streams belong to a batch's evidence when it is handed to somebody outside."""

from collections.abc import Iterator

from core.access import ProviderIdentity, identity_name
from core.batch.amendment import amendments
from core.batch.state import Batch
from core.capa import CapaLinks
from core.equipment import Equipment
from core.errors import Unknown
from core.ledger.rotation import STREAM as KEYS_OF_LOG
from core.ledger.store import Ledger
from core.passkey import Passkey
from core.projections.nouns import Nouns
from core.signature_check import SIGNED, signature_in


def batch_streams(ledger: Ledger, name: str) -> list[str]:
    """Return a batch's streams: itself, its amendments, order, recipe, deviations, their links to
    the quality system, lots, scale, refusals, prints, the log's keys, and the passkeys and
    accounts that signed in them.

    A stream that has no entry is left out.

    Raises:
        Unknown: no such batch.
    """
    nouns = Nouns(ledger.store)
    batch = nouns.get(Batch, name)
    if batch is None:
        raise Unknown("Batch", name)
    room = nouns.get(Equipment, batch.room)
    weighings = [one for run in batch.steps for one in run.weighings]
    wanted = [
        f"batch/{name}",
        *(f"amendment/{one.amendment}" for one in amendments(nouns, name)),
        f"order/{batch.order}",
        f"recipe/{batch.recipe}",
        *(f"deviation/{one}" for one in batch.deviations),
        *(f"{CapaLinks.KIND}/{one}" for one in batch.deviations),
        *(f"lot/{one}" for one in sorted({one.lot for one in weighings})),
        *(f"equipment/{one}" for one in sorted({one.scale for one in weighings})),
        *([f"equipment/{room.scale}"] if room and room.scale and not weighings else []),
        f"refusal/batch/{name}",
        f"record/{name}",
        KEYS_OF_LOG,
    ]
    there = [stream for stream in wanted if ledger.head(stream) is not None]
    return [*there, *sorted({one for stream in there for one in _means(ledger, stream)})]


def _means(ledger: Ledger, stream: str) -> Iterator[str]:
    """Yield the streams that say whose the passkeys and accounts are that signed in a stream."""
    for entry in ledger.stream(stream):
        if entry.type == SIGNED:
            signature = signature_in(entry)
            if signature.assertion is not None:
                yield f"{Passkey.KIND}/{signature.assertion.credential}"
            if (said := signature.vouched) is not None:
                yield f"{ProviderIdentity.KIND}/{identity_name(said.issuer, said.subject)}"
