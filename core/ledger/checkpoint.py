"""The checkpoint: tree size and root as a C2SP signed note, Ed25519.

    batchwright.example/tablets          the origin, which is also the key's name
    20000                                tree size
    base64 of the root
                                         an empty line
    — batchwright.example/tablets base64 of (key id || signature)

What is signed are the first three lines with their newlines. A key is told apart by its id, the
first 4 bytes of SHA-256(name || 0x0A || type || public key). A signature of a key that we know
must hold; lines of other keys (witnesses) are left alone.

Source:
    C2SP tlog-checkpoint, signed-note.
"""

import os
import re
from base64 import b64decode, b64encode
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from core.errors import LedgerBroken

ED25519 = b"\x01"
SIGNATURE_LIMIT = 64  # a note with more lines is not ours
PRIVATE = "PRIVATE+KEY+"  # begins the one line of a private half
_NAME = re.compile(r"[^\s+]+")
_LINE = re.compile(r"— ([^\s+]+) ([A-Za-z0-9+/]+={0,2})")
_SIZE = re.compile(r"0|[1-9][0-9]{0,15}", re.ASCII)


class NoteBroken(LedgerBroken):
    """A signed note is not what it must be."""

    def __init__(self, why: str) -> None:
        super().__init__(f"Checkpoint: {why}. Stop, and call QA.")


class KeyRevoked(NoteBroken):
    """A note is signed by a key that is trusted no more at that size."""

    def __init__(self, size: int, key_id: bytes, used: "Former") -> None:
        self.says = (
            f"{size} entries are signed by key {key_id.hex()}, which entry {used.revoked} revoked;"
            f" it counts up to {used.until} entries"
        )
        super().__init__(self.says)


class KeyEnded(NoteBroken):
    """A note is signed by a former key, at a size at which another one had followed it."""

    def __init__(self, size: int, until: int) -> None:
        super().__init__(f"{size} entries are signed by a key that ended at entry {until}")
        self.size, self.until = size, until


class Checkpoint(NamedTuple):
    """The tree at one size; `note` is the signed text, newline at its end."""

    size: int
    root: bytes
    note: str


class Former(NamedTuple):
    """A key before the newest one, and the last size that it may have signed.

    `revoked` is the entry that took trust from it, 0 where none did.
    """

    public: bytes
    until: int
    revoked: int = 0


@dataclass(frozen=True)
class Verifier:
    """The public half of a log key; `text` is its one-line form (vkey).

    `former` are the log's keys before it: see `core.ledger.rotation`.
    """

    name: str
    public: bytes
    former: tuple[Former, ...] = ()

    @cached_property
    def key_id(self) -> bytes:
        return key_id(self.name, self.public)

    @property
    def text(self) -> str:
        body = b64encode(ED25519 + self.public).decode("ascii")
        return f"{self.name}+{self.key_id.hex()}+{body}"

    def holds(self, signature: bytes, text: bytes) -> bool:
        """Return whether the signature was made over the text."""
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, text)
        except InvalidSignature:
            return False
        return True


class LogKey:
    """The private half: it signs, and it never shows itself."""

    def __init__(self, name: str, seed: bytes) -> None:
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name}: a key name has no space and no +")
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        public = self._key.public_key().public_bytes_raw()
        self.verifier = Verifier(name, public)

    def __repr__(self) -> str:
        return f"LogKey({self.verifier.name!r})"

    @property
    def name(self) -> str:
        return self.verifier.name

    @property
    def vkey(self) -> str:
        return self.verifier.text

    def sign(self, text: bytes) -> bytes:
        """Return the 64 bytes of the signature."""
        return self._key.sign(text)


def key_id(name: str, public: bytes) -> bytes:
    """Return the 4 bytes that tell one key of a name from another."""
    return sha256(name.encode("utf-8") + b"\n" + ED25519 + public).digest()[:4]


def parse_vkey(text: str) -> Verifier:
    """Return the verifier in a vkey line, its id computed anew.

    Raises:
        ValueError: the text is no Ed25519 vkey.
    """
    parts = text.strip().split("+", 2)
    if len(parts) != 3:
        raise ValueError("a vkey is name+id+key")
    name, given, encoded = parts
    body = b64decode(encoded, validate=True)
    if len(body) != 33 or body[:1] != ED25519:
        raise ValueError("a vkey of ours is Ed25519: type 1 and 32 bytes")
    found = Verifier(name, body[1:])
    if not _NAME.fullmatch(name) or found.key_id.hex() != given:
        raise ValueError("the vkey's id does not belong to its key")
    return found


def sign(key: LogKey, size: int, root: bytes) -> Checkpoint:
    """Return the signed checkpoint of a tree."""
    assert size >= 0
    assert len(root) == 32
    text = f"{key.name}\n{size}\n{b64encode(root).decode('ascii')}\n"
    return Checkpoint(size, root, f"{text}\n{signature_line(key, text.encode('utf-8'))}")


def signature_line(key: LogKey, text: bytes) -> str:
    """Return the line of a note that says that a key signed a text."""
    blob = key.verifier.key_id + key.sign(text)
    return f"— {key.name} {b64encode(blob).decode('ascii')}\n"


def signed_line(verifier: Verifier, line: str, text: bytes) -> bool:
    """Return whether a line is this key's signature over a text; a malformed one is none."""
    try:
        name, blob = parse_line(line)
    except NoteBroken:
        return False
    if (name, blob[:4]) != (verifier.name, verifier.key_id) or len(blob) != 68:
        return False
    return verifier.holds(blob[4:], text)


def sign_manifest(key: LogKey, manifest: bytes) -> str:
    """Return the signature line of a bundle's list of files; its own first line keeps it apart."""
    return signature_line(key, b"batchwright manifest v1\n" + manifest)


def manifest_is_signed(verifier: Verifier, manifest: bytes, line: str) -> bool:
    """Return whether this key signed a list of files."""
    return signed_line(verifier, line.removesuffix("\n"), b"batchwright manifest v1\n" + manifest)


def verify(note: str, verifier: Verifier) -> Checkpoint:
    """Return the checkpoint in a note that this key signed.

    Raises:
        NoteBroken: the text is malformed, of another origin, or without a good signature.
    """
    if any(char < " " and char != "\n" for char in note) or not note.endswith("\n"):
        raise NoteBroken("control characters, or no newline at the end")
    head, gap, tail = note.rpartition("\n\n")
    if not gap:
        raise NoteBroken("no empty line before the signatures")
    text = head + "\n"
    size, root = _tree(text, verifier.name)
    lines = tail[:-1].split("\n")
    if len(lines) > SIGNATURE_LIMIT:
        raise NoteBroken(f"more than {SIGNATURE_LIMIT} signatures")
    is_signed = False
    known = {verifier.key_id: (verifier, Former(verifier.public, size))}
    for one in verifier.former:
        former = Verifier(verifier.name, one.public)
        known[former.key_id] = (former, one)
    for line in lines:
        name, blob = parse_line(line)
        if name != verifier.name or blob[:4] not in known:
            continue
        key, used = known[blob[:4]]
        if len(blob) != 68 or not key.holds(blob[4:], text.encode("utf-8")):
            raise NoteBroken(f"the signature of {name} does not hold")
        if size > used.until and used.revoked:
            raise KeyRevoked(size, key.key_id, used)
        if size > used.until:
            raise KeyEnded(size, used.until)
        is_signed = True
    if not is_signed:
        raise NoteBroken(f"no signature of {verifier.name} with key id {verifier.key_id.hex()}")
    return Checkpoint(size, root, note)


def _tree(text: str, origin: str) -> tuple[int, bytes]:
    lines = text[:-1].split("\n")
    if len(lines) != 3:
        raise NoteBroken("must be three lines: origin, size, root")
    if lines[0] != origin:
        raise NoteBroken(f"origin is {lines[0]}, must be {origin}")
    if not _SIZE.fullmatch(lines[1]):
        raise NoteBroken("size is no plain decimal number")
    root = _base64(lines[2])
    if len(root) != 32:
        raise NoteBroken("root is not 32 bytes")
    return int(lines[1]), root


def parse_line(line: str) -> tuple[str, bytes]:
    """Return the name in a signature line of a note, and its key id with the signature.

    Raises:
        NoteBroken: it is malformed.
    """
    match = _LINE.fullmatch(line)
    if match is None:
        raise NoteBroken("a signature line is malformed")
    blob = _base64(match[2])
    if len(blob) < 5:
        raise NoteBroken("a signature line is too short")
    return match[1], blob


def _base64(text: str) -> bytes:
    try:
        blob = b64decode(text, validate=True)
    except ValueError as fault:
        raise NoteBroken("base64 is malformed") from fault
    if b64encode(blob).decode("ascii") != text:
        raise NoteBroken("base64 has stray bits")
    return blob


def load_or_create_key(path: Path, name: str) -> LogKey:
    """Return the log key in a file, made on first use with mode 0600.

    The file holds one line, `PRIVATE+KEY+name+id+base64(type || seed)`. Two processes that start
    together agree on one key, since only one of them can link the file into place.

    Raises:
        ValueError: the file is no key, belongs to another name, or others may read it.
    """
    if not path.exists():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        seed = os.urandom(32)
        key = LogKey(name, seed)
        secret = b64encode(ED25519 + seed).decode("ascii")
        draft = path.with_name(f"{path.name}.{os.getpid()}.{seed[:4].hex()}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "w", encoding="ascii") as file:
                file.write(f"{PRIVATE}{name}+{key.verifier.key_id.hex()}+{secret}\n")
                file.flush()
                os.fsync(file.fileno())
            with suppress(FileExistsError):
                os.link(draft, path)
        finally:
            draft.unlink()
    return load_key(path, name)


def load_key(path: Path, name: str) -> LogKey:
    """Return the log key in a file.

    Raises:
        OSError: there is none.
        ValueError: the file is no key, belongs to another name, or others may read it.
    """
    if os.name == "posix" and path.stat().st_mode & 0o077:
        raise ValueError(f"{path}: others may read this key. Run: chmod 600 {path}")
    parts = path.read_text("ascii").strip().split("+", 4)
    if len(parts) != 5 or parts[:2] != ["PRIVATE", "KEY"]:
        raise ValueError(f"{path}: is no log key.")
    if parts[2] != name:
        raise ValueError(f"{path}: is the key of {parts[2]}, not of {name}.")
    body = b64decode(parts[4], validate=True)
    if len(body) != 33 or body[:1] != ED25519:
        raise ValueError(f"{path}: is no Ed25519 key.")
    key = LogKey(name, body[1:])
    if key.verifier.key_id.hex() != parts[3]:
        raise ValueError(f"{path}: the id does not belong to the key.")
    return key
