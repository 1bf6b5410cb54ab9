"""A time-stamp authority of RFC 3161 for tests: OpenSSL behind HTTP, with a certificate chain."""

import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key

from core.clock import now

CONFIG = """
[tsa]
default_tsa = unit
[unit]
serial = {folder}/serial
crypto_device = builtin
signer_cert = {folder}/tsa.pem
signer_key = {folder}/tsa.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256, sha512
accuracy = secs:1
ordering = yes
ess_cert_id_alg = sha256
"""  # no certs=: it puts an unsorted set of certificates into the answer
EXTENSIONS = (
    "basicConstraints=CA:FALSE\nkeyUsage=digitalSignature\nextendedKeyUsage=critical,timeStamping\n"
)


SLOW_S = 1.5


@dataclass(eq=False)
class LocalAuthority:
    """A running authority; `fault` makes its answers something else."""

    folder: Path
    address: str = ""
    port: int = 0
    asked: int = 0
    lists: int = 0
    fault: str = ""
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def root(self) -> Path:
        return self.folder / "ca.pem"

    def reply(self, query: bytes) -> tuple[int, str, bytes]:
        with self.lock:
            self.asked += 1
            if self.fault == "down":
                return 503, "text/plain", b"closed"
            if self.fault != "replay" or not (self.folder / "answer.tsr").exists():
                (self.folder / "query.tsq").write_bytes(query)
                openssl(
                    self.folder, "ts", "-reply", "-config", "tsa.cnf",
                    "-queryfile", "query.tsq", "-out", "answer.tsr",
                )  # fmt: skip
            body = bytearray((self.folder / "answer.tsr").read_bytes())
        if self.fault == "slow":
            time.sleep(SLOW_S)
        if self.fault == "flip":
            body[-20] ^= 1
        return 200, "application/timestamp-reply", bytes(body)


def openssl(folder: Path, *words: str) -> str:
    done = subprocess.run(
        ["openssl", *words], cwd=folder, check=True, capture_output=True, text=True, timeout=60
    )
    return done.stdout


def make_authority(folder: Path, name: str, *, days: int = 1825, port: int = 0) -> LocalAuthority:
    """Make an authority; with a port, its certificate says that its revocation list is there."""
    folder.mkdir(parents=True)
    (folder / "tsa.cnf").write_text(CONFIG.format(folder=folder), "utf-8")
    where = f"crlDistributionPoints=URI:http://127.0.0.1:{port}/ca.crl\n" if port else ""
    (folder / "ext.cnf").write_text(EXTENSIONS + where, "utf-8")
    (folder / "serial").write_text("01\n", "utf-8")
    openssl(
        folder, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "ca.key",
        "-out", "ca.pem", "-subj", f"/CN={name} root", "-days", str(2 * days),
    )  # fmt: skip
    openssl(
        folder, "req", "-newkey", "rsa:2048", "-nodes", "-keyout", "tsa.key", "-out", "tsa.csr",
        "-subj", f"/CN={name} unit",
    )  # fmt: skip
    openssl(
        folder, "x509", "-req", "-in", "tsa.csr", "-CA", "ca.pem", "-CAkey", "ca.key",
        "-CAcreateserial", "-out", "tsa.pem", "-days", str(days), "-extfile", "ext.cnf",
    )  # fmt: skip
    (folder / "ca.crl").write_bytes(none_revoked(folder, now()))
    return LocalAuthority(folder, port=port)


def none_revoked(folder: Path, at: datetime) -> bytes:
    """Return the list that an authority which has revoked nothing publishes, DER."""
    key = load_pem_private_key((folder / "ca.key").read_bytes(), None)
    assert isinstance(key, rsa.RSAPrivateKey)
    issuer = x509.load_pem_x509_certificate((folder / "ca.pem").read_bytes())
    above = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.public_key())  # type: ignore[arg-type]
    made = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(issuer.subject)
        .last_update(at - timedelta(minutes=5))
        .next_update(at + timedelta(days=7))
        .add_extension(x509.CRLNumber(1), critical=False)
        .add_extension(above, critical=False)
    )
    return made.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)


@contextmanager
def serving(authority: LocalAuthority) -> Iterator[LocalAuthority]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            query = self.rfile.read(int(self.headers["content-length"]))
            status, kind, body = authority.reply(query)
            self.send_response(status)
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self) -> None:
            authority.lists += 1
            if authority.fault == "no list":
                self.send_error(404)
                return
            body = (authority.folder / self.path.removeprefix("/")).read_bytes()
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", authority.port), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    authority.address = f"http://127.0.0.1:{server.server_address[1]}/tsa"
    try:
        yield authority
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
