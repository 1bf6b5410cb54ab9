"""What a secret must be: PINs, passphrases, and those that everybody tries first."""

from __future__ import annotations

from datetime import timedelta

import pytest

from core.authentication import TooSoon
from core.secret_rules import SecretRefused, check_secret
from core.signing import DoesNotFit
from tests.floor import Floor
from tests.hands import refusal

GOOD = "nine quiet lamps by the door"


@pytest.mark.requirement("H7")
@pytest.mark.parametrize(
    ("secret", "says"),
    [
        ("12345", "has 5 digits, a PIN has 6 to 8"),
        ("482915377", "has 9 digits, a PIN has 6 to 8"),
        ("123456", "is a row of digits that is tried first"),
        ("98765432", "is a row of digits that is tried first"),
        ("777777", "is a row of digits that is tried first"),
        ("121212", "is one of the PINs that are tried first"),
        ("12121212", "is one of the PINs that are tried first"),
        ("eleven char", "has 11 characters, a passphrase has 12 to 128"),
        ("aaaaaaaaaaaaaaa", "repeats a few characters"),
        ("Password2026!", "is made of your name, or of words that are tried first"),
        ("Brandt-olga-99", "is made of your name, or of words that are tried first"),
        (" nine quiet lamps", "begins or ends with a blank, or has a hidden sign"),
        ("nine quiet\tlamps", "begins or ends with a blank, or has a hidden sign"),
    ],
)
def test_weak_secret_is_refused_without_repeating_it(secret: str, says: str) -> None:
    said = refusal(SecretRefused, lambda: check(secret))
    assert said.startswith(f"Secret: {says}.")
    assert secret not in said.removeprefix(f"Secret: {says}.")


def check(secret: str, *roles: str) -> None:
    check_secret(secret, person="olga", name="Olga Brandt", roles=roles or ("operator",))


@pytest.mark.parametrize("secret", ["482915", "48291537", "twelve chars", GOOD, "käse löwe öl 7"])
def test_fair_secret_is_taken(secret: str) -> None:
    check(secret)


@pytest.mark.requirement("H7")
@pytest.mark.parametrize("role", ["qa", "engineer", "director", "finance", "admin"])
def test_pin_is_for_people_of_the_floor(role: str) -> None:
    assert refusal(SecretRefused, lambda: check("48291537", role)) == (
        "Secret: has digits only, a PIN is for people who sign with a badge at a kiosk."
        " Take a passphrase of 12 characters or more."
    )
    check("48291537", role, "supervisor")


def test_pause_of_the_clock_set_back_does_not_grow(floor: Floor) -> None:
    for _ in range(2):
        refusal(DoesNotFit, lambda: floor.execution.authenticate("olga", "not hers", station=None))
    floor.clock.at -= timedelta(seconds=30)
    said = refusal(TooSoon, lambda: floor.execution.authenticate("olga", "x" * 8, station=None))
    assert "Wait 1 s" in said
