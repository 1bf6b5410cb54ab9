"""Secrets that the server must know in clear, kept wrapped: ERP keys, a provider's client secret.

Each is encrypted by AES-256-GCM, bound to its name, under a master key that lies elsewhere: in
the environment, or in a file for its owner only. The first master key wraps, all of them open, so
that one can take the place of another. A backup of the vault without the master key gives nothing
away. What an earlier server wrapped by Fernet is still opened, and wrapped anew by a rotation.
"""

import json
import os
import re
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from core.errors import Refused

MASTER_VARIABLE = "BATCHWRIGHT_MASTER_KEY"
OWNER_ONLY = 0o077  # bits that nobody else may have
SEALED_BY_GCM = "gcm1:"
PURPOSE = b"batchwright vault, AES-256-GCM"
NONCE_BYTES = 12
ERP_SEND, ERP_RECEIVE, ERP_TOKEN = "erp-send", "erp-receive", "erp-token"
OIDC = "oidc-client-secret"
KNOWN = (ERP_SEND, ERP_RECEIVE, ERP_TOKEN, OIDC)
ERP_NAME = r"erp-[a-z0-9][a-z0-9-]{0,40}"  # a plant's `erp.toml` names the others


class MasterKeyUnfit(Refused):
    """Without a good master key no secret can be kept or read."""

    def __init__(self, where: str, what: str, next_step: str) -> None:
        super().__init__(f"Master key, {where}: {what}. {next_step}", where=where)


class SecretSealed(Refused):
    """A secret is wrapped under a master key that is not here."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"Secret {name}: none of the master keys opens it. Give the key that it was wrapped"
            " under, or set the secret anew.",
            name=name,
        )


class SecretNotKept(Refused):
    """What is to be forgotten is not here."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"Secret {name}: is not kept here. Look at: batchwright secrets list.", name=name
        )


class UnknownSecret(Refused):
    """A name that no part of the server asks for."""

    def __init__(self, name: str) -> None:
        known = ", ".join(KNOWN)
        super().__init__(
            f"Secret {name}: not one of {known}, nor a name that erp.toml may use (erp-…). Choose"
            " from these."
        )


def check_name(name: str) -> None:
    """Refuse a name that no part of the server asks for.

    Raises:
        UnknownSecret: it is neither known nor one that `erp.toml` may use.
    """
    if name not in KNOWN and not re.fullmatch(ERP_NAME, name):
        raise UnknownSecret(name)


class _MasterKey:
    """One master key, and what it wraps and opens."""

    def __init__(self, text: bytes) -> None:
        """Take 32 bytes as URL-safe base64; anything else is a `ValueError`."""
        self._before = Fernet(text)
        derived = HKDF(SHA256(), 32, salt=None, info=PURPOSE).derive(urlsafe_b64decode(text))
        self._cipher = AESGCM(derived)

    def wrap(self, name: str, secret: str) -> str:
        nonce = secrets.token_bytes(NONCE_BYTES)
        sealed = self._cipher.encrypt(nonce, secret.encode(), name.encode())
        return SEALED_BY_GCM + urlsafe_b64encode(nonce + sealed).decode()

    def open(self, name: str, token: str) -> str | None:
        """Return the secret, None where this key or this name does not open it."""
        try:
            if not token.startswith(SEALED_BY_GCM):
                return self._before.decrypt(token).decode()
            text = token.removeprefix(SEALED_BY_GCM)
            body = urlsafe_b64decode(text)
            if urlsafe_b64encode(body).decode() != text:  # bits that a decoder passes over
                return None
            nonce, sealed = body[:NONCE_BYTES], body[NONCE_BYTES:]
            return self._cipher.decrypt(nonce, sealed, name.encode()).decode()
        except (InvalidToken, InvalidTag, ValueError):
            return None


class Vault:
    """The wrapped secrets of one data folder; the first one that is kept makes a master key.

    To read makes nothing, neither a key nor a folder.
    """

    def __init__(self, keys: Path, environ: Mapping[str, str] | None = None) -> None:
        """Open the vault in a folder of keys.

        Raises:
            MasterKeyUnfit: a master key is no key, or others may read its file.
        """
        self._path, self._master = keys / "vault.json", keys / "master.key"
        self._given = (os.environ if environ is None else environ).get(MASTER_VARIABLE, "")
        self._opened: list[_MasterKey] | None = None
        if self._given or self._master.exists():
            self._open()

    def _open(self) -> list[_MasterKey]:
        self._opened = self._keys()
        return self._opened

    def _begun(self) -> list[_MasterKey]:
        """Return the master keys, the first of which wraps; one is made where there is none."""
        self._master.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if self._opened is None and not self._master.exists():
            _write(self._master, _new_key())
        return self._opened or self._open()

    def _keys(self) -> list[_MasterKey]:
        if self._given:
            texts, where = self._given.split(","), MASTER_VARIABLE
        else:
            if self._master.stat().st_mode & OWNER_ONLY:
                raise MasterKeyUnfit(
                    str(self._master), "others may read it", "Run: chmod 600 on it."
                )
            texts, where = self._master.read_text("utf-8").split(), str(self._master)
        try:
            keys = [_MasterKey(text.strip().encode()) for text in texts if text.strip()]
        except ValueError as fault:
            raise MasterKeyUnfit(
                where, "is no master key", "Give 32 random bytes as URL-safe base64."
            ) from fault
        if not keys:
            raise MasterKeyUnfit(where, "is empty", "Restore it, or set the secrets anew.")
        return keys

    def _wrapped(self) -> dict[str, str]:
        if not self._path.exists():
            return {}
        found: dict[str, str] = json.loads(self._path.read_text("utf-8"))
        return found

    def names(self) -> tuple[str, ...]:
        """Return which secrets are kept."""
        return tuple(sorted(self._wrapped()))

    def get(self, name: str) -> str | None:
        """Return a secret in clear, None where it is not kept.

        Raises:
            SecretSealed: no master key here opens it.
        """
        token = self._wrapped().get(name)
        if token is None:
            return None
        for key in self._opened or ():
            if (secret := key.open(name, token)) is not None:
                return secret
        raise SecretSealed(name)

    def put(self, name: str, secret: str) -> None:
        """Keep a secret in the place of the one before."""
        wrapped = self._wrapped() | {name: self._begun()[0].wrap(name, secret)}
        _write(self._path, json.dumps(wrapped, indent=1) + "\n")

    def drop(self, name: str) -> None:
        """Forget a secret.

        Raises:
            SecretNotKept: there is none of that name.
        """
        wrapped = self._wrapped()
        if wrapped.pop(name, None) is None:
            raise SecretNotKept(name)
        _write(self._path, json.dumps(wrapped, indent=1) + "\n")

    def rotate(self) -> int:
        """Wrap every secret under the newest master key; return how many there are.

        A master key in a file is made anew here, and the old one goes once nothing needs it.
        One in the environment is whoever set it: the first of several is the newest.

        Raises:
            SecretSealed: no master key here opens one of them; then nothing is changed.
        """
        clear = {name: self.get(name) or "" for name in self.names()}
        new, keys = "", self._begun()
        if not self._given:
            new = _new_key()
            _write(self._master, new + self._master.read_text("utf-8"))
            keys = self._open()
        wrapped = {name: keys[0].wrap(name, secret) for name, secret in clear.items()}
        _write(self._path, json.dumps(wrapped, indent=1) + "\n")
        if new:
            _write(self._master, new)
            self._open()
        return len(wrapped)


def _new_key() -> str:
    return urlsafe_b64encode(secrets.token_bytes(32)).decode() + "\n"


def _write(path: Path, text: str) -> None:
    """Write a file for its owner only; a crash leaves the one before whole."""
    part = path.with_suffix(".part")
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
