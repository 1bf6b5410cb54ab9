"""Which streams belong to a batch's evidence when it is handed to somebody outside."""

from core.batch.amendment import amendments
from core.batch.state import Batch
from core.equipment import Equipment
from core.errors import Unknown
from core.ledger.store import Ledger
from core.projections.nouns import Nouns


def batch_streams(ledger: Ledger, name: str) -> list[str]:
    """Return a batch's streams: itself, its amendments, order, recipe, deviations, lots, scale,
    refusals, prints.

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
        *(f"lot/{one}" for one in sorted({one.lot for one in weighings})),
        *(f"equipment/{one}" for one in sorted({one.scale for one in weighings})),
        *([f"equipment/{room.scale}"] if room and room.scale and not weighings else []),
        f"refusal/batch/{name}",
        f"record/{name}",
    ]
    return [stream for stream in wanted if ledger.head(stream) is not None]
