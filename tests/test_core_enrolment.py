"""Enrolment codes: two people have their hands in each, and it ends."""

from __future__ import annotations

import pytest

from core.access import ConfirmEnrolment, OneHandAlone
from core.authentication import EnrolmentEnded, MustChangeSecret
from core.authority import NotAuthorized
from core.errors import WrongState
from core.signing import DoesNotFit
from tests.floor import Floor
from tests.hands import refusal
from tests.test_core_access import enrol, handed_out


@pytest.mark.requirement("H1", "H7")
def test_code_needs_two_people_so_that_no_administrator_signs_for_another(floor: Floor) -> None:
    execution, out = floor.execution, ConfirmEnrolment(person="quinn")
    refusal(WrongState, lambda: floor.act(out, "sana"))
    floor.act(enrol(), "ada")
    assert refusal(OneHandAlone, lambda: floor.act(out, "ada")) == (
        "Quinn Marsh: ada issued this code, and does not hand it out as well. Ask a supervisor,"
        " QA, or another administrator."
    )
    refusal(NotAuthorized, lambda: floor.act(out, "olga"))
    early = execution.authentication.enrol("quinn")  # whoever had the credentials' store
    refusal(DoesNotFit, lambda: execution.authenticate("quinn", early, station=None))
    code = handed_out(floor)
    refusal(WrongState, lambda: floor.act(out, "ines"))
    refusal(MustChangeSecret, lambda: execution.authenticate("quinn", code, station=None))
    floor.clock.pass_time(seconds=30)
    floor.act(enrol(), "ada")
    refusal(DoesNotFit, lambda: execution.authenticate("quinn", code, station=None))
    floor.clock.pass_time(hours=72)
    refusal(WrongState, lambda: floor.act(out, "sana"))


@pytest.mark.requirement("H7")
def test_code_ends_after_three_days_and_not_before(floor: Floor) -> None:
    floor.act(enrol(), "ada")
    code = handed_out(floor)
    floor.clock.pass_time(hours=71)
    refusal(MustChangeSecret, lambda: floor.execution.authenticate("quinn", code, station=None))
    floor.clock.pass_time(hours=1)
    assert refusal(
        EnrolmentEnded, lambda: floor.execution.authenticate("quinn", code, station=None)
    ) == ("Quinn Marsh: the enrolment code has ended. Ask an administrator for a new one.")
