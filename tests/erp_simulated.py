"""Simulated ERPs as peers of the conformance suite: a process each, killed and started again."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx

from erp.adapters.business_central.adapter import BcWords
from erp.adapters.business_central.mapping import BcPlant
from erp.adapters.calling import Basic
from erp.adapters.dynamics.adapter import DynamicsWords
from erp.adapters.dynamics.mapping import DynamicsPlant
from erp.adapters.oauth import client_credentials
from erp.adapters.oracle.adapter import OracleWords
from erp.adapters.oracle.mapping import OraclePlant
from erp.adapters.sage_x3.adapter import X3Words
from erp.adapters.sage_x3.mapping import X3Plant
from erp.adapters.sap.adapter import SapWords
from erp.adapters.sap.mapping import SapPlant
from erp.adapters.spoken import SpokenErp
from erp.adapters.units import Unit, Units
from erp.simulated import business_central as simulated_bc
from erp.simulated import dynamics as simulated_dynamics
from erp.simulated import oracle as simulated_oracle
from erp.simulated import sage_x3 as simulated_x3
from erp.trust import trusted
from tests import modelled_peer, netsuite_peer
from tests.erp_peers import PEER_SEED, Port
from tests.erp_plant import ROOT, SITE, free_port

USER, SECRET = "MES", "a secret of the technical user"


@dataclass
class SimulatedPeer:
    """What all simulators have in common; the port is each one's own."""

    kind: str
    folder: Path
    number: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None
    user: str = "MES"

    @property
    def name(self) -> str:
        return self.kind

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.number}"

    def port(self, address: str | None = None, *, secret: str | None = None) -> Port:
        return MAKERS[self.kind](self, address or self.address, secret or SECRET)

    def restart(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        seed = self.folder / "seed.json"
        seed.write_text(json.dumps(PEER_SEED), "utf-8")
        command = [sys.executable, "-m", "erp.simulated", self.kind]
        command += ["--db", str(self.folder / "erp.db"), "--port", str(self.number)]
        command += ["--seed", str(seed)]
        given = GIVEN.get(self.kind, lambda: SECRET)()
        login = {"BATCHWRIGHT_SIMULATED_USER": self.user, "BATCHWRIGHT_SIMULATED_SECRET": given}
        self.process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, **login})
        until = time.monotonic() + 30
        while time.monotonic() < until:
            assert self.process.poll() is None, "the simulator ended at once"
            try:
                self.admin("health")
            except httpx.HTTPError:
                time.sleep(0.05)
            else:
                return
        raise AssertionError("the simulator did not answer within 30 s")

    def crash(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def admin(self, what: str, **call: object) -> Any:
        answer = httpx.post(
            f"{self.address}/admin/{what}", json=call, verify=trusted(), trust_env=False, timeout=10
        )
        answer.raise_for_status()
        return answer.json()

    def requests(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.admin("requests")
        return found

    def close_period(self, month: date) -> None:
        self.admin("periods", period=f"{month:%Y-%m}", state="closed")

    def open_period(self, month: date) -> None:
        self.admin("periods", period=f"{month:%Y-%m}", state="open")

    def cancel_order(self, order: str) -> None:
        self.admin("orders", id=order, state="cancelled")


SAP_PLANT: dict[str, Any] = {
    "plant": "P001",
    "components_from": "RM01",
    "goods_to": "FG01",
    "zone": SITE.zone,
    "units": Units({"KGM": Unit("G", Decimal(1000)), "C62": Unit("PC")}, digits=3),
    "longest_s": 0,
}


def sap(peer: SimulatedPeer, address: str, secret: str) -> Port:
    plant = SapPlant(**SAP_PLANT, repeatability=peer.kind == "sap")
    return SpokenErp(SapWords(address, login=Basic(USER, secret), plant=plant, timeout_s=10))


BC_PLANT = BcPlant(
    company=simulated_bc.COMPANY,
    components_from="RM",
    goods_to="FG",
    zone=SITE.zone,
    gl_at_once=True,
)


def bc(peer: SimulatedPeer, address: str, secret: str) -> Port:
    login = client_credentials(
        f"{peer.address}{simulated_bc.TOKEN_PATH}",
        client_id=USER,
        secret=secret,
        scope=simulated_bc.SCOPE,
    )
    address = f"{address}{simulated_bc.ROOT}"
    return SpokenErp(BcWords(address, login=login, plant=BC_PLANT, timeout_s=10))


def ns(peer: SimulatedPeer, address: str, secret: str) -> Port:
    return netsuite_peer.connect(
        address,
        token_at=peer.address,
        asynchronous=peer.kind == "netsuite",
        whose=netsuite_peer.PLANT if secret == SECRET else secret,
    )


X3_PLANT = X3Plant(
    site=simulated_x3.SITE,
    pool=simulated_x3.POOL,
    components_from="RM",
    goods_to="FG",
    zone=SITE.zone,
    gl_at_once=True,
)


def x3(peer: SimulatedPeer, address: str, secret: str) -> Port:
    return SpokenErp(X3Words(address, login=Basic(USER, secret), plant=X3_PLANT, timeout_s=10))


DYNAMICS_PLANT = DynamicsPlant(
    company=simulated_dynamics.COMPANY,
    zone=SITE.zone,
    units=Units({"KGM": Unit("g", Decimal(1000)), "C62": Unit("ea")}, digits=2),
    messages="MesMessages",
    periods="MesPeriods",
    longest_s=0,
)


def dynamics(peer: SimulatedPeer, address: str, secret: str) -> SpokenErp[DynamicsWords]:
    login = client_credentials(
        f"{peer.address}{simulated_dynamics.TOKEN_PATH}",
        client_id=USER,
        secret=secret,
        scope=simulated_dynamics.SCOPE,
    )
    waits = {"timeout_s": 10, "patience_s": 10, "poll_s": 0.02}
    return SpokenErp(DynamicsWords(address, login=login, plant=DYNAMICS_PLANT, **waits))


ORACLE_PLANT = OraclePlant(
    organization=simulated_oracle.ORGANIZATION,
    components_from=simulated_oracle.FROM,
    goods_to=simulated_oracle.TO,
    source=simulated_oracle.SOURCE,
    zone=SITE.zone,
    units=Units({"KGM": Unit("Gram", Decimal(1000)), "C62": Unit("Each")}, digits=5),
    refusals={"SIM_LOT": "lot_unknown", "SIM_PERIOD": "period_closed"},
    longest_s=0,
)


def oracle(peer: SimulatedPeer, address: str, secret: str) -> SpokenErp[OracleWords]:
    login = client_credentials(
        f"{peer.address}{simulated_oracle.TOKEN_PATH}",
        client_id=USER,
        secret=secret,
        scope=simulated_oracle.SCOPE,
        in_header=True,
    )
    waits = {"timeout_s": 10, "patience_s": 10, "poll_s": 0.02}
    return SpokenErp(OracleWords(address, login=login, plant=ORACLE_PLANT, **waits))


def ifs(peer: SimulatedPeer, address: str, secret: str) -> Port:
    return modelled_peer.ifs(address, token_at=peer.address, user=USER, secret=secret)


def ln(peer: SimulatedPeer, address: str, secret: str) -> Port:
    return modelled_peer.ln(address, token_at=peer.address, user=USER, secret=secret)


MAKERS: dict[str, Callable[[SimulatedPeer, str, str], Port]] = {
    "sap": sap,
    "sap-plain": sap,
    "business-central": bc,
    "dynamics": dynamics,
    "oracle": oracle,
    "netsuite": ns,
    "netsuite-at-once": ns,
    "sage-x3": x3,
    "ifs-cloud": ifs,
    "infor-ln": ln,
}
# what a simulator knows of us, where that is not our secret itself
GIVEN: dict[str, Callable[[], str]] = {
    "netsuite": netsuite_peer.public_key,
    "netsuite-at-once": netsuite_peer.public_key,
}
# what of a peer's writes is a posting, where its questions are writes too
STRIKES: dict[str, Callable[[bytes], bool]] = {
    "netsuite": netsuite_peer.posts,
    "netsuite-at-once": netsuite_peer.posts,
    "sage-x3": lambda body: b"ZMESPOST" in body,
    "dynamics": lambda body: b'"ProdProductionOrderStart"' not in body,  # it moves nothing
}


@contextmanager
def simulated(kind: str, folder: Path) -> Iterator[SimulatedPeer]:
    """Run a simulator for as long as it is needed."""
    peer = SimulatedPeer(kind, folder)
    peer.restart()
    try:
        yield peer
    finally:
        peer.crash()
