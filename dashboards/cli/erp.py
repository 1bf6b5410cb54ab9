"""The boundary to the ERP: `erp status | peer | contract | replay | drill`, `erp tryton up`."""

import json
import signal
import threading
from datetime import datetime
from pathlib import Path
from secrets import randbelow
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer

from config.load import load_plant
from core.errors import MesError
from dashboards.cli.terminal import Data, give_up, ledger_of, say

if TYPE_CHECKING:
    from core.replay import ReplayMessages
    from erp.agreement.policy import Terms
    from erp.outbox import Outbox
    from erp.port import ErpProfile

OUTBOX = "erp_outbox.db"
app = typer.Typer()
erp = typer.Typer(no_args_is_help=True, help="The boundary to the ERP.")
app.add_typer(erp, name="erp")
tryton = typer.Typer(no_args_is_help=True, help="A real Tryton as the ERP.")
erp.add_typer(tryton, name="tryton")


@erp.command("status")
def erp_status(data: Data) -> None:
    """Say what waits for the ERP, what is done and what needs a person."""
    from erp import evidence

    outbox = _outbox(data)
    counts = {str(state): count for state, count in evidence.counts(outbox).items()}
    oldest = evidence.oldest_open(outbox)
    outbox.close()
    say(json.dumps({"messages": counts, "oldest_open_at": oldest}, indent=1))


@erp.command("peer")
def erp_peer(
    *,
    plant: Annotated[str, typer.Option(help="a plant pack, with its erp.toml")],
    data: Data,
) -> None:
    """Say which ERP a plant is connected to, what fits into it, and whether it answers."""
    from config.settings import Settings
    from dashboards.serving import erp_link

    try:
        settings = Settings(data_dir=data)
        link = erp_link(settings, load_plant(plant))
    except MesError as fault:
        raise give_up(fault) from fault
    if link is None and settings.erp_address is not None:
        raise give_up(
            f"{data}: keeps no erp-send and erp-receive for this address. Name the plant's data"
            " folder, or set them: batchwright secrets set NAME."
        )
    if link is None:
        raise give_up("No ERP: neither erp.toml nor BATCHWRIGHT_ERP_ADDRESS names one.")
    profile, health = link.port.profile, link.port.health()
    found = {
        "erp": profile.name,
        "address": link.port.address,
        "answers": health.up,
        "detail": health.detail,
        "supports": sorted(profile.supports),
        "takes": "all messages" if profile.takes is None else sorted(profile.takes),
        "digits": dict(profile.scales),
        "characters": dict(profile.lengths),
        "signs_receipts": profile.signs_receipts,
        "reads_gl": profile.reads_gl,
        "longest_s": profile.longest_s,
    }
    link.port.close()
    say(json.dumps(found, indent=1))
    raise typer.Exit(0 if health.up else 1)


@erp.command("web-connector")
def erp_web_connector(
    *,
    plant: Annotated[str, typer.Option(help="a plant pack whose erp.toml chooses quickbooks")],
    out: Annotated[Path, typer.Option("--out", help="the .qwc file to write")],
) -> None:
    """Write the file that a person opens in QuickBooks' Web Connector; it holds no secret."""
    from config.adapters.quickbooks import QuickBooksSetting
    from config.settings import Settings
    from erp.adapters.quickbooks.setup import web_connector_file

    try:
        setting = load_plant(plant).link
    except MesError as fault:
        raise give_up(fault) from fault
    if not isinstance(setting, QuickBooksSetting):
        raise give_up("erp.toml does not choose quickbooks; no other ERP has a Web Connector.")
    address = Settings().erp_address or setting.address
    if address is None:
        raise give_up("BATCHWRIGHT_ERP_ADDRESS is missing, as is the address in erp.toml.")
    out.write_text(web_connector_file(setting, address), "utf-8")
    say(f"{out}: open it in the Web Connector, and give it the secret that the vault keeps.")


@erp.command("contract")
def erp_contract(
    *,
    out: Annotated[Path, typer.Option("--out", help="a new folder for the contract")],
    data: Annotated[
        Path | None, typer.Option("--data", help="a plant's data folder: its signed policy")
    ] = None,
    profile: Annotated[
        str | None, typer.Option(help="a profile, as a proposal that nobody has signed")
    ] = None,
    plant: Annotated[
        str | None, typer.Option(help="a plant pack: what fits into its ERP is told as well")
    ] = None,
) -> None:
    """Write the contract for the ERP's team, made from the boundary policy."""
    from dataclasses import replace

    from erp.agreement.write import write

    if (data is None) == (profile is None):
        raise give_up("Name one of --data and --profile: a signed policy, or a proposal.")
    try:
        terms = _proposed(profile) if profile is not None else _signed(ledger_of(data or Path()))
        written = write(replace(terms, peer=_peer(plant)), out)
    except MesError as fault:
        raise give_up(fault) from fault
    say(f"{out}: {len(written)} files from {terms.title}. Begin with {out / 'contract.md'}.")


def _peer(plant: str | None) -> "ErpProfile | None":
    """Return what fits into the ERP that a pack chooses, None where it chooses none."""
    from erp.adapters.chosen import profile_of

    pack = None if plant is None else load_plant(plant)
    if pack is None or pack.link is None:
        return None
    return profile_of(pack.link, ZoneInfo(pack.plant.plant.zone))


def _signed_by(data: Path, body: bytes) -> str:
    """Return the signature of a report by a plant's log key, as a bundle's list of files has."""
    from core.ledger.checkpoint import load_key, parse_vkey, sign_manifest

    vkey = parse_vkey((data / "keys" / "log.vkey").read_text("utf-8").strip())
    return sign_manifest(load_key(data / "keys" / "log.key", vkey.name), body)


def _proposed(profile: str) -> "Terms":
    from config.boundary import profiles, read_profile
    from erp.agreement.policy import Terms

    found, _ = read_profile(profile) if profile in profiles() else (None, ())
    if found is None:
        raise give_up(f"{profile}: no such profile. Name one of {', '.join(profiles())}.")
    return Terms(plant="plant", profile=profile, decisions=found.decisions)


def _signed(where: str) -> "Terms":
    from core.authority import PlantRules
    from core.clock import now
    from core.ledger.store import open_ledger
    from core.projections.nouns import Nouns
    from erp.agreement.policy import Terms

    ledger = open_ledger(where)
    try:
        [rules] = Nouns(ledger.store).all(PlantRules)
    finally:
        ledger.close()
    policy = rules.policy(now())
    if policy is None:
        raise give_up(f"Plant {rules.plant}: no boundary policy is in force. Sign one.")
    return Terms(
        plant=rules.plant,
        profile=policy.profile,
        decisions=policy.decisions,
        version=policy.version,
        effective_at=policy.effective_at,
        signed_by=policy.signed_by,
    )


@erp.command("replay")
def erp_replay(
    *,
    data: Data,
    user: Annotated[str, typer.Option(help="user id of the person who asks")],
    why: Annotated[str, typer.Option(help="the reason, as the ledger keeps it")],
    ids: Annotated[list[str] | None, typer.Option("--id", help="a message; again for more")] = None,
    order: Annotated[str | None, typer.Option(help="all messages of one order")] = None,
    since: Annotated[str | None, typer.Option(help="made from, as 2026-11-23T06:00+01:00")] = None,
    until: Annotated[str | None, typer.Option(help="made before; left out: until now")] = None,
    server: Annotated[
        str | None, typer.Option(help="address of the server that runs; else it must be stopped")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="do not ask whether to go on")] = False,
) -> None:
    """Send messages to the ERP again: same id, same bytes; the ledger keeps who asked and why."""
    from core.replay import ReplayMessages
    from dashboards.cli.asking import ask_ledger, ask_server

    ledger_of(data)
    command = ReplayMessages(
        messages=tuple(ids or ()),
        order=order,
        since=_instant("--since", since),
        until=_instant("--until", until),
        why=why,
    )
    say(_covered(data, command))
    if not yes and not typer.confirm("Send them again, each under its own key?"):
        raise typer.Exit(1)
    secret = typer.prompt("Secret", hide_input=True)
    try:
        if server is not None:
            seq = ask_server(server, user, secret, command=command)
        else:
            seq = ask_ledger(data, user, secret, command=command)
    except MesError as fault:
        raise give_up(fault) from fault
    when = "now" if server is not None else "when the server runs again"
    say(f"Entry {seq} orders it; the relay sends them {when}, each order in its sequence.")


def _outbox(data: Path) -> "Outbox":
    """Open a plant's outbox, or give up: reading makes none where no ERP was ever connected."""
    from erp.outbox import Outbox

    if not (data / OUTBOX).is_file():
        raise give_up(
            f"{data}: holds no {OUTBOX}. Name the data folder of a plant that ran with an ERP."
        )
    return Outbox(f"sqlite:///{data / OUTBOX}")


def _covered(data: Path, it: "ReplayMessages") -> str:
    """Return in words which messages a replay covers now, or give up where it is none."""
    from erp import evidence
    from erp.replaying import Choice

    outbox = _outbox(data)
    choice = Choice(messages=it.messages, order=it.order, since=it.since, until=it.until)
    found = evidence.covered(outbox, choice)
    outbox.close()
    if found.messages == 0:
        raise give_up("No message that was tried before is chosen. See erp status, choose anew.")
    messages = "1 message" if found.messages == 1 else f"{found.messages} messages"
    orders = "1 order" if found.orders == 1 else f"{found.orders} orders"
    return f"{messages} of {orders}, made from {found.first} to {found.last}"


def _instant(option: str, text: str | None) -> datetime | None:
    from core.clock import parse_iso

    try:
        return None if text is None else parse_iso(text)
    except ValueError as fault:
        shape = "2026-11-23T06:00+01:00"
        raise give_up(f"{option} {text}: no instant. Give it with its offset: {shape}") from fault


@erp.command("drill")
def erp_drill(
    *,
    messages: Annotated[int, typer.Option(min=20, help="how many facts are told")] = 10_000,
    report: Annotated[Path | None, typer.Option("--json", help="write the report")] = None,
    seed: Annotated[int | None, typer.Option(help="repeat a drill; else a fresh one")] = None,
    data: Annotated[
        Path | None, typer.Option("--data", help="a plant whose log key signs the report")
    ] = None,
) -> None:
    """Send through drops, copies, reorders, errors and two kills; count lost, double, unordered."""
    from erp.drill.run import DrillFailed, drill

    chosen = randbelow(2**31) if seed is None else seed
    say(f"seed {chosen}")
    try:
        found = drill(messages, say, seed=chosen)
    except DrillFailed as fault:
        raise give_up(fault) from fault
    body = json.dumps(found, indent=1, sort_keys=True) + "\n"
    say(body)
    if report is not None:
        report.write_text(body, "utf-8")
        if data is not None:
            signed = _signed_by(data, body.encode())
            report.with_suffix(report.suffix + ".sig").write_text(signed, "utf-8")
    raise typer.Exit(0 if found["holds"] else 1)


@tryton.command("up")
def tryton_up(
    *,
    data: Annotated[Path, typer.Option("--data", help="a folder for its database and log")],
    plant: Annotated[str, typer.Option(help="whose items, BOMs, lots and orders")] = "tablets",
    port: Annotated[int | None, typer.Option(help="where it listens; else a free port")] = None,
) -> None:
    """Install Tryton in its own environment, fill it with a plant, run it until Ctrl-C."""
    from config.load import erp_seed
    from core.clock import now
    from erp.bridges.tryton_server import TrytonNotStarted, TrytonServer

    pack = load_plant(plant)
    zone = pack.plant.plant.zone
    seed = {**erp_seed(pack, now().astimezone(ZoneInfo(zone)).date()), "zone": zone}
    server = TrytonServer(data, seed, port=port, say=say)
    try:
        server.start()
    except TrytonNotStarted as fault:
        raise give_up(fault) from fault
    say(f"Tryton answers at {server.address}")
    say(f"  export BATCHWRIGHT_ERP_ADDRESS={server.address}")
    say(f"  export BATCHWRIGHT_ERP_SECRET={server.events}")
    say(f"  export BATCHWRIGHT_ERP_RECEIPT_SECRET={server.receipts}")
    say(f"  export BATCHWRIGHT_ERP_TOKEN={server.token}")
    ending = threading.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: ending.set())
    ending.wait()
    server.stop()
