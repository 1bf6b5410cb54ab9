"""What a running server is told from outside: variables that begin with BATCHWRIGHT_."""

from pathlib import Path

from pydantic import Field, SecretStr, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from config.targets import (
    SettingFaulty,
    database_url,
    host_name,
    is_this_host,
    stream_address,
    web_address,
)

PREFIX = "BATCHWRIGHT_"


class Settings(BaseSettings):
    """Where the plant keeps its data, which pack it runs, and where it listens.

    `store` is a database URL or None for the file in `data_dir`; port 0 takes a free one.
    `erp_address` with its two `whsec_` secrets connects an ERP; without it none is connected.
    `erp_token` is sent as a bearer, where the ERP asks for one.
    `nats_url` names a NATS server with JetStream that gets the same messages for other systems.
    `origin` is the address that people open, where a proxy gives the server another one:
    passkeys are bound to its host name for ever.
    `hosts` lists further names, by commas, by which browsers may call the server.
    `oidc_issuer` with its client id and secret lets people sign in by a provider as well.
    `tls_cert` and `tls_key` name the files with which the server itself speaks TLS. Without them
    it serves its own machine alone, unless `plain_http` says that the network is nobody else's.
    `breached` names a file of secrets that are known from breaches, as SHA-1 in their order.
    `tsa_url` names a time-stamp authority (RFC 3161) and `tsa_certificates` the PEM file that its
    certificate leads to; checkpoints are stamped every `tsa_hours`, or `tsa_entries` if sooner.
    """

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="ignore", frozen=True)

    data_dir: Path = Path("data")
    plant: str = "tablets"
    host: str = "127.0.0.1"
    port: int = Field(default=0, ge=0, le=65535)
    store: str | None = Field(default=None, repr=False)  # its password is nobody's to read
    origin: str | None = None
    hosts: str = ""
    tls_cert: Path | None = None
    tls_key: Path | None = None
    plain_http: bool = False
    breached: Path | None = None
    erp_address: str | None = None
    erp_secret: SecretStr | None = None
    erp_receipt_secret: SecretStr | None = None
    erp_token: SecretStr | None = None
    nats_url: SecretStr | None = None
    oidc_issuer: str | None = None
    oidc_client_id: str | None = None
    oidc_client_secret: SecretStr | None = None
    oidc_label: str = "Sign in with the company account"
    tsa_url: str | None = None
    tsa_certificates: Path | None = None
    tsa_hours: int = Field(default=24, ge=1)
    tsa_entries: int = Field(default=10_000, ge=1)

    @field_validator("store")
    @classmethod
    def _store_is_private(cls, value: str | None) -> str | None:
        return None if value is None else database_url(f"{PREFIX}STORE", value)

    @field_validator("erp_address", "origin", "oidc_issuer")
    @classmethod
    def _address_is_safe(cls, value: str | None, info: ValidationInfo) -> str | None:
        return None if value is None else web_address(f"{PREFIX}{info.field_name}".upper(), value)

    @field_validator("nats_url")
    @classmethod
    def _stream_is_private(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            stream_address(f"{PREFIX}NATS_URL", value.get_secret_value())
        return value

    @field_validator("hosts")
    @classmethod
    def _hosts_are_names(cls, value: str) -> str:
        for name in value.split(",") if value else ():
            host_name(f"{PREFIX}HOSTS", name)
        return value

    @field_validator("tsa_url")
    @classmethod
    def _authority_is_an_address(cls, value: str | None) -> str | None:
        if value is None:
            return None
        # a stamp is signed and checked, so plain http forges nothing, and many offer no other
        web_address(f"{PREFIX}TSA_URL", value.replace("http://", "https://", 1))
        return value

    @property
    def authority(self) -> tuple[str, Path] | None:
        """Address and certificates of the time-stamp authority, None for none.

        Raises:
            SettingFaulty: only one of the two is named, or the file is not there.
        """
        if self.tsa_url is None and self.tsa_certificates is None:
            return None
        if self.tsa_url is None:
            raise SettingFaulty(f"{PREFIX}TSA_URL", "is missing", "https://host")
        if self.tsa_certificates is None or not self.tsa_certificates.is_file():
            raise SettingFaulty(
                f"{PREFIX}TSA_CERTIFICATES", "names no file", "the authority's root as PEM"
            )
        return self.tsa_url, self.tsa_certificates

    @property
    def tls(self) -> tuple[Path, Path] | None:
        """The files of certificate and key, None where TLS ends elsewhere or nowhere.

        Raises:
            SettingFaulty: only one of the two is named, or a file is not there; or neither, and
                the network would be served in plain HTTP.
        """
        if self.tls_cert is None and self.tls_key is None:
            if not self.plain_http and not is_this_host(self.host):
                raise SettingFaulty(
                    f"{PREFIX}HOST", "would send secrets over the network in plain HTTP",
                    f"{PREFIX}TLS_CERT and {PREFIX}TLS_KEY, or {PREFIX}PLAIN_HTTP=yes where nobody"
                    " else is on that network",
                )  # fmt: skip
            return None
        for name, path in (("TLS_CERT", self.tls_cert), ("TLS_KEY", self.tls_key)):
            if path is None or not path.is_file():
                raise SettingFaulty(f"{PREFIX}{name}", "names no file", "one beside the other's")
        assert self.tls_cert is not None
        assert self.tls_key is not None
        return self.tls_cert, self.tls_key

    @property
    def names(self) -> frozenset[str]:
        """The names beside the origin's by which browsers may call the server."""
        given = [self.host, *self.hosts.split(",")]
        return frozenset(name.strip().lower() for name in given if name.strip())

    @property
    def ledger(self) -> str | Path:
        """Where the ledger is."""
        return self.store or self.data_dir / "ledger.db"

    @property
    def accounts(self) -> Path:
        """The file with a demo's accounts."""
        return self.data_dir / "accounts.json"
