"""Settings of an ERP that answers our contract, and of Tryton with its bridge, which does."""

from config.adapters.setting import ErpSetting, SecretName
from config.faults import Record
from core.vault import ERP_RECEIVE, ERP_SEND, ERP_TOKEN


class WebhookSecrets(Record, frozen=True, kw_only=True):
    """Names in the vault; the token is sent only where the vault keeps one."""

    send: SecretName = ERP_SEND
    receive: SecretName = ERP_RECEIVE
    token: SecretName = ERP_TOKEN


class WebhookSetting(ErpSetting, frozen=True, kw_only=True):
    """`adapter = "webhook"` or `"tryton"`."""

    secrets: WebhookSecrets = WebhookSecrets()
