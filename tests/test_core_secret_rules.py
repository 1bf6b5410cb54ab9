"""What a secret must be: PINs, passphrases, and those that everybody tries first."""

from __future__ import annotations

from datetime import timedelta
from hashlib import sha256
from itertools import pairwise

import pytest

from core.authentication import TooSoon
from core.people import Person
from core.secret_rules import KEY_BYTES, SecretRefused, _common, check_secret, is_common
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
        ("tablets-Kiosk-007!", "is made of your name, or of words that are tried first"),
        ("1qaz2wsx3EDC", "is known from breaches and tried first"),
        ("a1B2c3a1b2c3", "repeats a few characters"),
        ("345678901234", "is a row of digits that is tried first"),
        ("159951", "is one of the PINs that are tried first"),
        (" nine quiet lamps", "begins or ends with a blank, or has a hidden sign"),
        ("nine quiet\tlamps", "begins or ends with a blank, or has a hidden sign"),
    ],
)
def test_weak_secret_is_refused_without_repeating_it(secret: str, says: str) -> None:
    said = refusal(SecretRefused, lambda: check(secret))
    assert said.startswith(f"Secret: {says}.")
    assert secret not in said.removeprefix(f"Secret: {says}.")


def check(secret: str, *roles: str) -> None:
    check_secret(
        secret, person="olga", name="Olga Brandt", roles=roles or ("operator",), plant="tablets"
    )


@pytest.mark.parametrize("secret", ["482915", "48291537", "twelve chars", GOOD, "käse löwe öl 7"])
def test_fair_secret_is_taken(secret: str) -> None:
    check(secret)


@pytest.mark.requirement("H7")
@pytest.mark.parametrize(
    "secret",
    ["!$%&/()=?*+#", "739105826471", "charlie!$%&/()=?*", (GOOD * 3)[:65], (GOOD * 5)[:128]],
)
def test_passphrase_is_of_any_characters_and_up_to_128(secret: str) -> None:
    check(secret, "qa")


def test_passphrase_of_129_characters_is_refused() -> None:
    said = refusal(SecretRefused, lambda: check((GOOD * 5)[1:130]))
    assert "has 129 characters, a passphrase has 12 to 128" in said


@pytest.mark.requirement("H7")
def test_list_of_known_secrets_is_long_sorted_and_read() -> None:
    """More than the three thousand passphrases and PINs used most; a search needs their order."""
    known = _common()
    keys = [known[at : at + KEY_BYTES] for at in range(0, len(known), KEY_BYTES)]
    assert len(keys) > 40_000
    assert all(one < two for one, two in pairwise(keys))
    for secret in ("123qweasdzxc", "LeaveMeAlone", "Qwerty123456", "01041984"):
        assert is_common(secret)
    # The last of all is found as well, and what comes behind it is not there.
    assert keys[-1] < sha256(b"nine quiet lamps 23416").digest()[:KEY_BYTES]
    assert not is_common("nine quiet lamps 23416")


@pytest.mark.requirement("H7")
def test_secret_is_checked_exactly_as_it_was_typed(floor: Floor) -> None:
    secret = "Nine quiet lamps by the door, and one that is not quiet at all, no."
    person = floor.execution.nouns.get(Person, "olga")
    floor.execution.authentication.change(person, secret, station=None)
    for other in (secret[:-1], secret.lower(), f"{secret} ", f"{secret}."):
        floor.execution.authentication.unlocked("olga")
        refusal(DoesNotFit, lambda other=other: sign_in(floor, other))
    floor.execution.authentication.unlocked("olga")
    assert sign_in(floor, secret).person == "olga"


def sign_in(floor: Floor, secret: str) -> Person:
    return floor.execution.authenticate("olga", secret, station=None)


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
