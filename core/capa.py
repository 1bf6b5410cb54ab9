"""Corrective actions live in the quality system: a deviation is linked to them, both ways.

The quality system's program tells which action it opened for a deviation and how that stands; it
keeps the deviation's number on its side. Both sides have an entry of their own for each step. Where
the boundary policy keeps corrective actions here, nothing is linked.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated, ClassVar, Literal

from msgspec import Meta

from core.deviation import Deviation
from core.errors import AlreadyKnown, Refused
from core.fact import Command, Context, Event, Fact, Facts, Plant, Recorded, need
from core.quantity import Name, Sentence

type CapaStatus = Literal["open", "in_work", "effective", "not_effective", "closed", "cancelled"]
type WebAddress = Annotated[str, Meta(pattern=r"^https://[!-~]{1,500}$")]


class LinkCapa(Command, frozen=True, kw_only=True, tag="deviation.link-capa"):
    """Link a deviation to a corrective action of the quality system, by its number there."""

    deviation: Name
    capa: Name
    address: WebAddress | None = None
    why: Sentence


class ReportCapa(Command, frozen=True, kw_only=True, tag="deviation.report-capa"):
    """Tell how a linked corrective action stands in the quality system."""

    deviation: Name
    capa: Name
    status: CapaStatus


class LinkedToCapa(Event, frozen=True, kw_only=True, tag="deviation.linked-to-capa"):
    """The quality system deals with the deviation under this number."""

    deviation: str
    batch: str
    capa: str
    address: str | None


class CapaReported(Event, frozen=True, kw_only=True, tag="deviation.capa-reported"):
    """The quality system says that its action stands so from here on."""

    deviation: str
    batch: str
    capa: str
    status: CapaStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class Capa:
    """One corrective action as the quality system last told of it; None where it never did."""

    capa: str
    address: str | None
    linked_by: str
    linked_at: datetime
    status: CapaStatus | None = None
    status_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CapaLinks:
    """The corrective actions of one deviation, in the order in which they were linked."""

    KIND: ClassVar[str] = "capa-link"
    deviation: str
    capas: tuple[Capa, ...] = ()

    def find(self, capa: str) -> Capa | None:
        """Return an action by its number in the quality system."""
        return next((one for one in self.capas if one.capa == capa), None)


class CapaLivesHere(Refused):
    """The boundary policy knows no quality system beside us."""

    def __init__(self, deviation: str) -> None:
        super().__init__(
            f"Deviation {deviation}: the boundary policy keeps corrective actions here. Write the"
            " action into the assessment, or sign another policy.",
            deviation=deviation,
        )


class NotLinked(Refused):
    """A status of something that nobody has linked belongs nowhere."""

    def __init__(self, deviation: str, capa: str) -> None:
        super().__init__(
            f"Deviation {deviation}: is not linked to {capa}. Link it first.",
            deviation=deviation,
            capa=capa,
        )


def decide(plant: Plant, it: LinkCapa | ReportCapa, context: Context) -> Facts:
    """Return what the quality system's word causes; the same status twice changes nothing.

    Raises:
        Unknown: there is no such deviation.
        CapaLivesHere: the policy keeps corrective actions here.
        AlreadyKnown: it is linked to this action.
        NotLinked: a status of an action that is not linked.
    """
    deviation = need(plant, Deviation, it.deviation)
    if context.policy.deviations == "mes":
        raise CapaLivesHere(it.deviation)
    held = plant.get(CapaLinks, it.deviation)
    known = None if held is None else held.find(it.capa)
    stream = f"{CapaLinks.KIND}/{it.deviation}"
    if isinstance(it, LinkCapa):
        if known is not None:
            raise AlreadyKnown(f"Link of deviation {it.deviation} to", it.capa)
        linked = LinkedToCapa(
            deviation=it.deviation, batch=deviation.batch, capa=it.capa, address=it.address
        )
        return (Fact(stream, linked, it.why),)
    if known is None:
        raise NotLinked(it.deviation, it.capa)
    if known.status == it.status:
        return ()
    reported = CapaReported(
        deviation=it.deviation, batch=deviation.batch, capa=it.capa, status=it.status
    )
    return (Fact(stream, reported),)


def apply(held: CapaLinks | None, fact: Recorded) -> CapaLinks:
    """Fold one event of a deviation's links."""
    match fact.event:
        case LinkedToCapa() as it:
            before = held or CapaLinks(deviation=it.deviation)
            made = Capa(capa=it.capa, address=it.address, linked_by=fact.actor, linked_at=fact.at)
            return replace(before, capas=(*before.capas, made))
        case CapaReported() as it:
            assert held is not None, fact
            return replace(
                held,
                capas=tuple(
                    replace(one, status=it.status, status_at=fact.at)
                    if one.capa == it.capa
                    else one
                    for one in held.capas
                ),
            )
        case _:
            assert held is not None, fact
            return held
