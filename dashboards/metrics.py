"""What `/metrics` tells a monitor: the server's own figures, and how the link to the ERP stands."""

from collections.abc import Iterator
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from core.clock import now, parse_iso
from dashboards.link_state import LinkSide
from dashboards.plant import PlantServices
from dashboards.security import Gate
from erp.relay import Endpoint
from erp.rows import State

PREFIX = "batchwright"


class Figures(Collector):
    """Reads the figures anew for each question."""

    def __init__(self, plant: PlantServices, gate: Gate) -> None:
        self._plant, self._gate = plant, gate
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)

    def text(self) -> bytes:
        """Return all figures as Prometheus reads them, those of the process last."""
        return generate_latest(self._registry) + generate_latest()

    def collect(self) -> Iterator[Metric]:
        """Yield every figure as it is now."""
        plant, gate = self._plant, self._gate
        yield _one("open_pages", "Pages open now.", len(gate.owners))
        yield _one("logins", "Sessions held.", len(gate.sessions))
        if plant.ledger is not None:
            yield _one("ledger_entries", "Entries in the ledger.", plant.ledger.size())
        side: Any = plant.readers.get("boundary")
        if side is not None:
            yield from link_figures(side)
            if side.keys is not None:
                yield _one(
                    "erp_keys_overdue", "Old keys that should end.", side.keys.overdue(now())
                )


def link_figures(side: LinkSide) -> Iterator[Metric]:
    """Yield how the link to the ERP stands, from the same readings as `/office`."""
    at, relay = now(), side.relay.status()
    messages = _many("erp_messages", "Messages by state.", "state")
    for state in State:
        messages.add_metric([state], relay.counts[state])
    yield messages
    oldest = relay.oldest_open_at
    age = 0.0 if oldest is None else (at - parse_iso(oldest)).total_seconds()
    yield _one("erp_oldest_open_seconds", "Age of the oldest message without a receipt.", age)
    yield _one("erp_facts_without_message", "Facts the ERP is not told of yet.", relay.asides)
    yield _one("erp_endpoint_up", "1 while messages go out.", relay.endpoint is Endpoint.UP)
    age_of = _many("erp_pull_age_seconds", "Time since the ERP last answered for it.", "kind")
    answers = CounterMetricFamily(  # kept in the outbox: a restart does not set it back
        f"{PREFIX}_erp_pull_answers", "Answers to pulls.", labels=["kind", "answer"]
    )
    stale = _many("erp_pull_stale", "1 while the last good page is old or missing.", "kind")
    for it in side.puller.states():
        stale.add_metric([it.kind], it.is_stale)
        if it.age_s is not None:
            age_of.add_metric([it.kind], it.age_s)
        for name in ("200", "304", "unchanged", "failed"):
            answers.add_metric([it.kind, name], getattr(it, f"count_{name}"))
    yield from (age_of, stale, answers)
    clock = side.puller.clock
    if clock is not None:
        ahead = clock.ahead.total_seconds()
        yield _one("erp_clock_ahead_seconds", "The ERP's clock before ours.", ahead)
    if side.publisher is not None:
        stream = side.publisher.status()
        yield _one("stream_waiting", "Messages not published to NATS yet.", stream.waiting)
        yield _one("stream_up", "1 while the stream acknowledges.", stream.fault is None)


def _one(name: str, says: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"{PREFIX}_{name}", says, value=value)


def _many(name: str, says: str, label: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"{PREFIX}_{name}", says, labels=[label])
