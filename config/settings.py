"""What a running server is told from outside: variables that begin with BATCHWRIGHT_."""

from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Where the plant keeps its data, which pack it runs, and where it listens.

    `store` is a database URL or None for the file in `data_dir`; port 0 takes a free one.
    `erp_address` with its two `whsec_` secrets connects an ERP; without it none is connected.
    """

    model_config = SettingsConfigDict(env_prefix="BATCHWRIGHT_", extra="ignore", frozen=True)

    data_dir: Path = Path("data")
    plant: str = "tablets"
    host: str = "127.0.0.1"
    port: int = Field(default=0, ge=0, le=65535)
    store: str | None = None
    erp_address: str | None = None
    erp_secret: SecretStr | None = None
    erp_receipt_secret: SecretStr | None = None

    @property
    def ledger(self) -> str | Path:
        """Where the ledger is."""
        return self.store or self.data_dir / "ledger.db"

    @property
    def accounts(self) -> Path:
        """The file with a demo's accounts."""
        return self.data_dir / "accounts.json"
