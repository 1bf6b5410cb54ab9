"""Serve a plant on its real devices until it is told to stop."""

import signal
import socket
import threading
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from zoneinfo import ZoneInfo

from pydantic import SecretStr

from config.accounts import HandedOut, accounts_of
from config.actions import missing_text
from config.adapters.setting import ErpSetting
from config.adapters.webhook import WebhookSetting
from config.load import load_plant
from config.plant import PlantPack
from config.seed import Seeder
from config.settings import PREFIX, Settings
from config.targets import SettingFaulty, is_this_host, passkey_site
from core.authority import PlantRules
from core.breached import BreachedFile
from core.erp_key import Direction
from core.execution import Execution
from core.vault import ERP_RECEIVE, ERP_SEND, ERP_TOKEN, OIDC, Vault
from dashboards import logs
from dashboards.boundary import ErpLink
from dashboards.compose import Plant, Wiring, open_execution
from dashboards.oidc.provider import ProviderLink
from dashboards.web import Web
from erp.adapters.chosen import connect
from erp.adapters.given import Given
from erp.live_keys import NAMES
from erp.timestamp import authority_of


def erp_link(settings: Settings, pack: PlantPack) -> ErpLink | None:
    """Return the ERP that the pack's `erp.toml` chooses; None where neither it nor a variable does.

    The variable's address wins over the file's. Without a file the ERP answers our contract. A
    secret that the environment does not give is read from the vault of the data folder.

    Raises:
        SettingFaulty: an adapter is chosen, its address is nowhere.
        SecretMissing: an adapter is chosen, a secret of it is not kept.
    """
    vault = Vault(settings.data_dir / "keys")
    given = {
        ERP_SEND: _secret(settings.erp_secret),
        ERP_RECEIVE: _secret(settings.erp_receipt_secret),
        ERP_TOKEN: _secret(settings.erp_token),
    }

    def kept(name: str) -> str | None:
        return given.get(name) or vault.get(name)

    address = settings.erp_address or (pack.link.address if pack.link else None)
    chosen = pack.link
    if chosen is None:
        if address is None or kept(ERP_SEND) is None or kept(ERP_RECEIVE) is None:
            return None
        chosen = WebhookSetting(adapter="webhook")
    if address is None:
        raise SettingFaulty(
            f"{PREFIX}ERP_ADDRESS", "is missing, as is the address in erp.toml", "https://host"
        )
    zone = ZoneInfo(pack.plant.plant.zone)
    return ErpLink(
        port=connect(chosen, Given(address=address, zone=zone, data=settings.data_dir, kept=kept)),
        stream=_secret(settings.nats_url),
        pull_every_s=chosen.pull_every_s,
        key_names=_key_names(chosen),
    )


def _key_names(chosen: ErpSetting) -> Mapping[Direction, str]:
    """Return what the shared keys are called in the vault; other adapters have none."""
    if not isinstance(chosen, WebhookSetting):
        return NAMES
    return {"send": chosen.secrets.send, "receive": chosen.secrets.receive}


def provider_link(settings: Settings) -> ProviderLink | None:
    """Return the sign-in provider that the settings name, None for none.

    Raises:
        SettingFaulty: an issuer is named, its client is not.
    """
    if settings.oidc_issuer is None:
        return None
    secret = _secret(settings.oidc_client_secret) or Vault(settings.data_dir / "keys").get(OIDC)
    if settings.oidc_client_id is None or secret is None:
        raise SettingFaulty(
            f"{PREFIX}OIDC_ISSUER", "is named without its client", "OIDC_CLIENT_ID and its secret"
        )
    return ProviderLink(
        issuer=settings.oidc_issuer,
        client_id=settings.oidc_client_id,
        client_secret=secret,
        label=settings.oidc_label,
    )


def _secret(given: SecretStr | None) -> str | None:
    return None if given is None else given.get_secret_value()


def _free_port(host: str) -> int:
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def put_to_work(execution: Execution, pack: PlantPack, accounts: Path) -> None:
    """Give a plant its pack; from then on the installer's secrets open only the choice of others.

    The pack itself is signed with them, so it comes first.
    """
    Seeder(execution, pack, accounts_of(pack, accounts)).run()
    execution.authentication.is_handed_out = HandedOut(execution.ledger)


def serve_forever(settings: Settings, say: Callable[[str], None]) -> None:
    """Open the plant, put its pack to work where that is not done yet, and serve it."""
    logs.to_stderr()
    tls = settings.tls
    pack = load_plant(settings.plant)
    data = settings.data_dir.resolve()
    ending = threading.Event()
    with ExitStack() as stack:
        execution = open_execution(data, pack.id, database=settings.store)
        execution.start()
        stack.callback(execution.close)
        put_to_work(execution, pack, settings.accounts)
        if settings.breached is not None:
            execution.authentication.is_breached = BreachedFile(settings.breached)
        rules = execution.nouns.get(PlantRules, pack.id)
        if rules is not None and (missing := missing_text(rules, pack)):
            say(missing)
        wiring = Wiring(
            scales=pack.devices.scales,
            lines=pack.devices.lines,
            erp=erp_link(settings, pack),
            provider=provider_link(settings),
            origin=settings.origin,
            hosts=settings.names,
            authority=authority_of(settings),
        )
        plant = Plant(execution, pack, wiring, data=data)
        plant.start()
        stack.callback(plant.stop)
        port = settings.port or _free_port(settings.host)
        web = Web(plant, host=settings.host, port=port, tls=tls)
        web.start()
        execution.signing.site = passkey_site(settings.origin or web.base)
        stack.callback(web.stop)
        say(f"Batchwright serves {pack.plant.plant.name}: {web.base}")
        if tls is None and not is_this_host(settings.host):
            say(f"{settings.host}: plain HTTP. Set BATCHWRIGHT_TLS_CERT and BATCHWRIGHT_TLS_KEY.")
        if wiring.erp is None:
            say("No ERP is connected: set BATCHWRIGHT_ERP_ADDRESS and its two secrets.")
        for name in (signal.SIGINT, signal.SIGTERM):
            signal.signal(name, lambda *_: ending.set())
        ending.wait()
