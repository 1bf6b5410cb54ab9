"""Settings of an ERP that answers our contract, and of Tryton with its bridge, which does."""

from typing import Annotated

from msgspec import Meta, field

from config.adapters.setting import ErpSetting, SecretName
from config.faults import Record
from core.vault import ERP_RECEIVE, ERP_SEND, ERP_TOKEN

type Digits = Annotated[int, Meta(ge=0, le=9)]


class WebhookSecrets(Record, frozen=True, kw_only=True):
    """Names in the vault; the token is sent only where the vault keeps one."""

    send: SecretName = ERP_SEND
    receive: SecretName = ERP_RECEIVE
    token: SecretName = ERP_TOKEN


class WebhookSetting(ErpSetting, frozen=True, kw_only=True):
    """`adapter = "webhook"` or `"tryton"`.

    `digits` are those after the point that the ERP keeps of a unit, by its UN/ECE code: what is
    finer is refused here, before it is sent.
    """

    digits: dict[str, Digits] = field(default_factory=dict)
    secrets: WebhookSecrets = WebhookSecrets()
