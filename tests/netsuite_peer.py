"""A simulated NetSuite as a peer: the plant has the private key, the account the public one."""

from __future__ import annotations

from functools import cache
from zoneinfo import ZoneInfo

from joserfc.jwk import Key, RSAKey

from erp.adapters.netsuite.adapter import NetSuiteWords
from erp.adapters.netsuite.login import key_of, signed_login
from erp.adapters.netsuite.mapping import NetSuitePlant, Scrap
from erp.adapters.spoken import SpokenErp
from erp.simulated import netsuite, netsuite_books

CLIENT = "MES"
PLANT = "the plant's"


@cache
def private_key(whose: str) -> str:
    return RSAKey.generate_key(2048, private=True).as_pem(private=True).decode()


@cache
def signs_with(whose: str) -> Key:
    return key_of("erp-netsuite-key", private_key(whose))


@cache
def public_key() -> str:
    return RSAKey.import_key(private_key(PLANT)).as_pem(private=False).decode()


def posts(body: bytes) -> bool:
    """Return whether a write is meant as one: SuiteQL is asked by POST, and nothing is booked."""
    return not body.startswith(b'{"q":')


def plant(*, asynchronous: bool = True) -> NetSuitePlant:
    return NetSuitePlant(
        zone=ZoneInfo("UTC"),
        scrap=Scrap(
            account=netsuite_books.ACCOUNT,
            subsidiary=netsuite_books.SUBSIDIARY,
            location=netsuite_books.LOCATION,
        ),
        asynchronous=asynchronous,
        longest_s=0,
    )


def connect(
    address: str, *, token_at: str, asynchronous: bool = True, whose: str
) -> SpokenErp[NetSuiteWords]:
    """Return an adapter that signs with a key that the account knows, or with a stranger's."""
    login = signed_login(
        token_at,
        client_id=CLIENT,
        certificate=netsuite.CERTIFICATE,
        key=signs_with(whose),
        timeout_s=10,
    )
    account = plant(asynchronous=asynchronous)
    return SpokenErp(NetSuiteWords(address, login=login, plant=account, timeout_s=10, poll_s=0.02))
