"""The plant's own list of breached secrets: found where it lies, refused where it is none."""

from __future__ import annotations

from hashlib import sha1
from pathlib import Path

import pytest

from core.breached import BreachedFile, BreachedFileUnfit
from core.people import Person
from core.secret_rules import SecretRefused
from tests.floor import Floor
from tests.hands import refusal

KNOWN = [f"seven ferries at {n}" for n in range(500)]


def hashed(secret: str) -> str:
    return sha1(secret.encode(), usedforsecurity=False).hexdigest().upper()


def listed(path: Path, secrets: list[str], *, end: str = "\r\n", count: str = ":3") -> Path:
    lines = sorted(hashed(one) for one in secrets)
    path.write_bytes("".join(f"{line}{count}{end}" for line in lines).encode())
    return path


@pytest.mark.requirement("H7")
@pytest.mark.parametrize(("end", "count"), [("\r\n", ":3"), ("\n", ""), ("\n", ":12345")])
@pytest.mark.parametrize("size", [1, 2, 3, 500])
def test_every_secret_of_the_list_is_found_and_no_other(
    tmp_path: Path, end: str, count: str, size: int
) -> None:
    known = BreachedFile(listed(tmp_path / "known.txt", KNOWN[:size], end=end, count=count))
    assert all(known(one) for one in KNOWN[:size])
    assert not any(known(f"{one}, or later") for one in KNOWN)


@pytest.mark.parametrize(
    "body", [b"", b"password\nsecret\n", b"B" * 40 + b"\n" + b"A" * 40, b"a" * 40]
)
def test_file_that_is_no_such_list_is_refused(tmp_path: Path, body: bytes) -> None:
    path = tmp_path / "known.txt"
    refusal(BreachedFileUnfit, lambda: BreachedFile(path))
    path.write_bytes(body)
    assert "in their order" in refusal(BreachedFileUnfit, lambda: BreachedFile(path))


@pytest.mark.requirement("H7")
def test_secret_of_the_plants_list_is_not_taken(floor: Floor, tmp_path: Path) -> None:
    authentication = floor.execution.authentication
    authentication.is_breached = BreachedFile(listed(tmp_path / "known.txt", KNOWN))
    person = floor.execution.nouns.get(Person, "olga")
    assert person is not None
    said = refusal(SecretRefused, lambda: authentication.change(person, KNOWN[7], station=None))
    assert said == "Secret: is known from breaches and tried first. Take other words."
    authentication.change(person, KNOWN[7] + ", or later", station=None)
