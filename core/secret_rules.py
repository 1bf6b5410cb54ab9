"""What a secret must be, how long it may stand, and which ones everybody tries first.

A secret is a passphrase, or for people of the floor a PIN that goes with a badge. There are no
rules about kinds of characters, and no age unless the plant sets one.

`common_secrets.bin` holds, sorted, the first five bytes of the SHA-256 of what is known from
breaches: every passphrase of that length among the million secrets used most, in small letters,
and the five thousand PINs used most.

Source:
    The ten million passwords that M. Burnett put into the public domain in 2015.
"""

from bisect import bisect_left
from datetime import datetime, timedelta
from functools import cache
from hashlib import sha256
from itertools import pairwise
from pathlib import Path

from msgspec import Struct

from core.errors import Refused

PIN_DIGITS = (6, 8)  # least and most
SHORTEST = 12
LONGEST = 128
PIN_ROLES = frozenset({"operator", "supervisor"})
AGES_DAYS = (None, 30, 60, 90)
MOST_REMEMBERED = 24
KEY_BYTES = 5  # of each known secret's hash
# What names the product, its roles and its places: the first guesses at a plant.
PLANT_WORDS = frozenset(
    {
        "batchwright", "operator", "supervisor", "quality", "engineer", "director", "finance",
        "admin", "administrator", "kiosk", "batch", "plant", "tablet", "recipe",
    }
)  # fmt: skip
PLAIN_WORDS = PLANT_WORDS | frozenset(
    {
        "password", "passwort", "passphrase", "letmein", "welcome", "qwerty", "qwertz",
        "azerty", "asdfgh", "abcdef", "iloveyou", "monkey", "dragon", "sunshine", "princess",
        "football", "baseball", "master", "superman", "trustno", "changeme", "secret",
        "default", "login", "access", "summer", "winter", "spring", "autumn", "hello",
        "whatever", "starwars", "shadow", "michael", "jordan", "charlie", "computer", "internet",
    }
)  # fmt: skip
PLAIN_PINS = frozenset(
    {
        "112233", "121212", "123123", "123321", "131313", "101010", "159753", "147258",
        "147852", "741852", "789456", "456789", "696969", "142536", "102030", "252525",
        "332211", "12344321", "11223344", "12341234", "12121212", "19801980", "20002000",
    }
)  # fmt: skip


class AccountPolicy(Struct, frozen=True, kw_only=True):
    """What the plant asks of accounts.

    `secret_days` is None where a secret may stand for ever; `remembered` former secrets are not
    taken again; `local_with_provider` lets local secrets sign in beside a sign-in provider.
    """

    secret_days: int | None = None
    remembered: int = 5
    local_with_provider: bool = True


class PolicyOutOfRange(Refused):
    """A policy that no account could follow, or none would notice."""

    def __init__(self, what: str, allowed: str) -> None:
        super().__init__(f"Account policy: {what}, must be {allowed}. Choose within.", what=what)


class SecretRefused(Refused):
    """A secret that would not protect its owner; the sentence never repeats it."""

    def __init__(self, what: str, next_step: str) -> None:
        super().__init__(f"Secret: {what}. {next_step}")


def check_policy(policy: AccountPolicy) -> None:
    """Refuse a policy out of its range.

    Raises:
        PolicyOutOfRange: with the first value that does not fit.
    """
    if policy.secret_days not in AGES_DAYS:
        raise PolicyOutOfRange(f"secret_days is {policy.secret_days}", "left out, 30, 60 or 90")
    if not 0 <= policy.remembered <= MOST_REMEMBERED:
        raise PolicyOutOfRange(f"remembered is {policy.remembered}", f"0 to {MOST_REMEMBERED}")


def check_secret(
    secret: str, *, person: str, name: str, roles: tuple[str, ...], plant: str = ""
) -> None:
    """Refuse a secret that its owner must not choose.

    Raises:
        SecretRefused: with the first rule that it breaks.
    """
    if not secret.isprintable() or secret != secret.strip():
        raise SecretRefused("begins or ends with a blank, or has a hidden sign", "Type it anew.")
    is_number = secret.isascii() and secret.isdigit()
    if is_number and len(secret) < SHORTEST:
        _check_pin(secret, roles)
        return
    if not SHORTEST <= len(secret) <= LONGEST:
        raise SecretRefused(
            f"has {len(secret)} characters, a passphrase has {SHORTEST} to {LONGEST}",
            "Take several words.",
        )
    plain = secret.casefold()
    if len(set(plain)) < 5 or (plain + plain).find(plain, 1) < len(plain):
        raise SecretRefused("repeats a few characters", "Take several words.")
    if is_number and _is_row(secret):
        raise SecretRefused("is a row of digits that is tried first", "Take several words.")
    if is_common(plain):
        raise SecretRefused("is known from breaches and tried first", "Take other words.")
    names = f"{name} {plant}".casefold().split()
    own = {person.casefold(), *(part for part in names if len(part) > 3)}
    rest = plain
    for word in sorted({*PLAIN_WORDS, *own}, key=len, reverse=True):
        rest = rest.replace(word, "")
    if rest != plain and len({sign for sign in rest if not sign.isdigit()} - {" "}) < 4:
        raise SecretRefused(
            "is made of your name, or of words that are tried first", "Take other words."
        )


def is_common(secret: str) -> bool:
    """Tell whether a secret is among those known from breaches.

    >>> is_common("1qaz2wsx3edc"), is_common("nine quiet lamps by the door")
    (True, False)
    """
    known, key = _common(), sha256(secret.casefold().encode()).digest()[:KEY_BYTES]
    at = bisect_left(range(len(known) // KEY_BYTES), key, key=lambda n: _key(known, n))
    return _key(known, at) == key


@cache
def _common() -> bytes:
    return Path(__file__).with_name("common_secrets.bin").read_bytes()


def _key(known: bytes, number: int) -> bytes:
    return known[number * KEY_BYTES : (number + 1) * KEY_BYTES]


def _check_pin(pin: str, roles: tuple[str, ...]) -> None:
    least, most = PIN_DIGITS
    if not PIN_ROLES & set(roles):
        raise SecretRefused(
            "has digits only, a PIN is for people who sign with a badge at a kiosk",
            f"Take a passphrase of {SHORTEST} characters or more.",
        )
    if not least <= len(pin) <= most:
        raise SecretRefused(f"has {len(pin)} digits, a PIN has {least} to {most}", "Count again.")
    if _is_row(pin):
        raise SecretRefused("is a row of digits that is tried first", "Take other digits.")
    if pin in PLAIN_PINS or len(set(pin)) < 3 or is_common(pin):
        raise SecretRefused("is one of the PINs that are tried first", "Take other digits.")


def _is_row(digits: str) -> bool:
    steps = {(int(b) - int(a)) % 10 for a, b in pairwise(digits)}
    return len(steps) == 1 and steps <= {0, 1, 9}


def ends_at(set_at: datetime | None, policy: AccountPolicy) -> datetime | None:
    """Return when a secret must be changed, None for never or where its age is not known."""
    if policy.secret_days is None or set_at is None:
        return None
    return set_at + timedelta(days=policy.secret_days)
