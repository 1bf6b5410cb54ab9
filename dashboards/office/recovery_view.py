"""Draws the recovery key: which one is named, by whom and since when, and what is proposed."""

from markupsafe import Markup

from core.log_key import LogKeys, RecoveryKey, short
from core.recovery_key import doubt
from dashboards import parts
from dashboards.office.policy_view import SUB, Look
from dashboards.palette import State
from dashboards.parts import chip, join

CAPTION = "Recovery key, for the day on which log.key is lost"
HEAD = ("Key", "State", "Since", "By", "Why")
LOST = "If log.key is lost, nobody can go on under this log."
MAKE = (
    "Make one at the server: batchwright keys make-recovery. Then two people name its public half"
    " on this page."
)


def recovery_view(held: LogKeys | None, look: Look) -> Markup:
    """Return the recovery key that is named, the one that is proposed, or that there is none."""
    named = None if held is None else held.recovery
    asked = None if held is None else held.recovery_proposed
    if held is None or named is None:
        following = MAKE if asked is None else "One is proposed: another person must agree to it."
        warned = parts.notice(State.NEAR, "No recovery key is named.", f"{LOST} {following}")
    elif doubt(held, named):
        warned = parts.notice(State.BAD, "The recovery key is doubtful.", doubtful(named))
    else:
        warned = Markup("")
    rows = []
    if held is not None and named is not None:
        state = chip(State.BAD, "Doubtful") if doubt(held, named) else chip(State.OK, "Named")
        by = f"{look.names.name(named.proposed_by)} and {look.names.name(named.by)}"
        rows.append(_row(named, state, by, look=look))
    if asked is not None:
        state = chip(State.NEAR, "Second person must agree")
        rows.append(_row(asked, state, look.names.name(asked.by), look=look))
    if not rows:
        return join(parts.heading(CAPTION), warned)
    return join(parts.table(CAPTION, HEAD, rows, testid="recovery-key"), warned)


def doubtful(named: RecoveryKey) -> str:
    """Return why a recovery key recovers nothing, and what people do about it."""
    return (
        f"Entry {named.entry} named it under a log key that was revoked from before that, so it"
        f" recovers nothing. {LOST} Two people name it, or another one, anew."
    )


def whole(vkey: str) -> Markup:
    """Return a public half to compare with paper, sign by sign."""
    return Markup("<code>{}</code>").format(vkey)


def _row(it: RecoveryKey, state: Markup, by: str, *, look: Look) -> tuple[object, ...]:
    key = join(whole(short(it.vkey)), SUB.format(whole(it.vkey)))
    entry = look.opens(f"entry {it.entry}", f"/audit?entry={it.entry}")
    return key, state, join(entry, SUB.format(look.time(it.at))), by, it.why
