"""What a secret must be, how long it may stand, and which ones everybody tries first.

A secret is a passphrase, or for people of the floor a PIN that goes with a badge. There are no
rules about kinds of characters, and no age unless the plant sets one.
"""

from datetime import datetime, timedelta
from itertools import pairwise

from msgspec import Struct

from core.errors import Refused

PIN_DIGITS = (6, 8)  # least and most
SHORTEST = 12
LONGEST = 128
PIN_ROLES = frozenset({"operator", "supervisor"})
AGES_DAYS = (None, 30, 60, 90)
MOST_REMEMBERED = 24
PLAIN_WORDS = frozenset(
    {
        "password", "passwort", "passphrase", "letmein", "welcome", "qwerty", "qwertz",
        "azerty", "asdfgh", "abcdef", "iloveyou", "monkey", "dragon", "sunshine", "princess",
        "football", "baseball", "master", "superman", "trustno", "changeme", "secret", "admin",
        "administrator", "operator", "default", "login", "access", "batchwright", "summer",
        "winter", "spring", "autumn", "hello", "whatever", "starwars", "shadow", "michael",
        "jordan", "charlie", "computer", "internet",
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


def check_secret(secret: str, *, person: str, name: str, roles: tuple[str, ...]) -> None:
    """Refuse a secret that its owner must not choose.

    Raises:
        SecretRefused: with the first rule that it breaks.
    """
    if not secret.isprintable() or secret != secret.strip():
        raise SecretRefused("begins or ends with a blank, or has a hidden sign", "Type it anew.")
    if secret.isascii() and secret.isdigit():
        _check_pin(secret, roles)
        return
    if not SHORTEST <= len(secret) <= LONGEST:
        raise SecretRefused(
            f"has {len(secret)} characters, a passphrase has {SHORTEST} to {LONGEST}",
            "Take several words.",
        )
    plain = secret.casefold()
    if len(set(plain)) < 5:
        raise SecretRefused("repeats a few characters", "Take several words.")
    own = {person.casefold(), *(part for part in name.casefold().split() if len(part) > 3)}
    rest = plain
    for word in sorted({*PLAIN_WORDS, *own}, key=len, reverse=True):
        rest = rest.replace(word, "")
    if sum(sign.isalpha() for sign in rest) < 4:
        raise SecretRefused(
            "is made of your name, or of words that are tried first", "Take other words."
        )


def _check_pin(pin: str, roles: tuple[str, ...]) -> None:
    least, most = PIN_DIGITS
    if not PIN_ROLES & set(roles):
        raise SecretRefused(
            "has digits only, a PIN is for people who sign with a badge at a kiosk",
            f"Take a passphrase of {SHORTEST} characters or more.",
        )
    if not least <= len(pin) <= most:
        raise SecretRefused(f"has {len(pin)} digits, a PIN has {least} to {most}", "Count again.")
    steps = {(int(b) - int(a)) % 10 for a, b in pairwise(pin)}
    if len(steps) == 1 and steps <= {0, 1, 9}:
        raise SecretRefused("is a row of digits that is tried first", "Take other digits.")
    if pin in PLAIN_PINS or len(set(pin)) < 3:
        raise SecretRefused("is one of the PINs that are tried first", "Take other digits.")


def ends_at(set_at: datetime | None, policy: AccountPolicy) -> datetime | None:
    """Return when a secret must be changed, None for never or where its age is not known."""
    if policy.secret_days is None or set_at is None:
        return None
    return set_at + timedelta(days=policy.secret_days)
