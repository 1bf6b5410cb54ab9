"""Quinn at a browser with a linked company account, and the ways to sign by it."""

from __future__ import annotations

import re
from dataclasses import dataclass

import httpx

from core.ledger.entry import Entry
from core.ledger.writer import Receipt
from core.material import ChangeLotStatus, Lot, LotStatus
from core.refusal import Refusals
from core.signing import Credentials, Preparation
from core.signing_period import Actor
from tests.accounts_plant import AccountsPlant
from tests.company_account import link_account
from tests.identity_provider import IdentityProvider, log_in

LOT = "CC-3102"
ANSWER = re.compile(r'data-pending="([^"]*)" data-answer="([^"]*)" data-says="([^"]*)"')
OFFICE = Actor("quinn", "office")


@dataclass
class Signer:
    """Quinn, signed in at a browser, with a linked company account."""

    plant: AccountsPlant
    idp: IdentityProvider
    browser: httpx.Client
    acts: int = 0

    def link(self, subject: str, person: str) -> None:
        secrets = {one: self.plant.accounts[one].secret for one in ("ada", "sana")}
        link_account(
            self.plant.execution, person, issuer=self.idp.url, subject=subject, secrets=secrets
        )

    def command(self, lot: str = LOT, status: LotStatus = LotStatus.RELEASED) -> ChangeLotStatus:
        seen = self.plant.execution.seen(f"lot/{lot}")
        return ChangeLotStatus(lot=lot, status=status, why="CoA.", seen=seen)

    def prepare(self, command: ChangeLotStatus) -> tuple[Preparation, str]:
        self.acts += 1
        idem = f"act:{self.acts}"
        execution = self.plant.execution
        return execution.prepare(command, actor=OFFICE, idem=idem, who="quinn"), idem

    def asked(self, pending: str, subject: str = "s-quinn") -> tuple[str, str]:
        """Go to the provider and come back; return the answer's name and what the window says."""
        gone = self.browser.get("/login/provider/sign", params={"pending": pending})
        assert gone.status_code == 303, gone.text
        back = self.browser.get(log_in(gone.headers["location"], subject))
        told = ANSWER.search(back.text)
        assert told is not None, back.text
        assert told[1] == pending
        return told[2], told[3]

    def submit(
        self, command: ChangeLotStatus, shown: Preparation, *, idem: str, answer: str
    ) -> Receipt:
        return self.plant.execution.submit(
            command, actor=OFFICE, idem=idem,
            credentials=Credentials(pending=shown.pending, provider=answer),
        )  # fmt: skip

    def signed(self) -> Entry:
        """Return the entry of a lot that the company account released."""
        command = self.command()
        shown, idem = self.prepare(command)
        answer, _ = self.asked(shown.pending)
        self.submit(command, shown, idem=idem, answer=answer)
        return self.newest()

    def newest(self) -> Entry:
        signed = self.plant.entries(of="signature.applied")
        return [one for one in signed if one.actor == "quinn"][-1]

    def status(self) -> LotStatus | None:
        lot = self.plant.execution.nouns.get(Lot, LOT)
        return None if lot is None else lot.status

    def refused(self, lot: str = LOT) -> str:
        found = self.plant.execution.nouns.get(Refusals, f"lot/{lot}")
        return "" if found is None else found.attempts[-1].rule
