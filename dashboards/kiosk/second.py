"""The second person: verification by signature, and the batch that is held for QA."""

from core.batch.steps import VerifyStep
from dashboards.kiosk import draw
from dashboards.kiosk.desk import Desk, Screen
from dashboards.kiosk.look import Doing, StepLook
from dashboards.kiosk.press import Press, primary
from dashboards.palette import State
from dashboards.signing_act import Ask

MEANING = "I verify that this step was done as written"


def verify_screen(desk: Desk, seen: StepLook) -> Screen:
    """Show what was done and exactly what will be signed; a second person signs."""
    press = primary(
        "Verify and sign", lambda _: _ask(desk, seen), testid="verify", busy_label="Opening …"
    )
    return Screen(
        main=[draw.piece(draw.facts(seen.facts), draw.words(f"{MEANING}. {seen.words}"))],
        primary=press,
    )


def _ask(desk: Desk, seen: StepLook) -> None:
    """Open the dialog over exactly what the screen shows, else draw what is new first."""
    shown = desk.execution.shown(f"batch/{seen.batch}")
    if shown is None or desk.look(shown[0]) != seen:
        desk.redraw()
        desk.bar.show("The step changed while you looked. Read it again.", word="Changed")
        return

    def asked() -> Ask:
        now = desk.execution.shown(f"batch/{seen.batch}")
        assert now is not None, seen.batch
        return Ask(
            subject=f"Batch {seen.batch}, step {seen.step}",
            lines=(("Done by", seen.performer),),
            command=VerifyStep(batch=seen.batch, step=seen.step, seen=now[1]),
        )

    def done(_: object) -> None:
        desk.told(f"Verification of step {seen.step}, {seen.title}")
        desk.redraw()

    desk.bar.clear()
    desk.dialog.request(desk.act(asked), done=done, cancelled=desk.redraw, renew=desk.redraw)


def held_screen(desk: Desk, seen: StepLook) -> Screen:
    """Say why nothing goes on, and who can change that."""
    back = Press("‹ List", lambda _: desk.go(batch=None), testid="list",
                 busy_label="Opening …")  # fmt: skip
    says = dict(seen.facts).get("Deviation", "")
    elsewhere = ("Deviation", "Limits", "Scale")  # in the sentence above, or no help here
    rows = [row for row in seen.facts if row[0] not in elsewhere]
    return Screen(main=[draw.piece(draw.held(says), draw.facts(rows))], quiet=[back])


def over_screen(desk: Desk, seen: StepLook) -> Screen:
    """Nothing is left to do at the kiosk."""
    back = primary("Dispatch list", lambda _: desk.go(batch=None), testid="list",
                   busy_label="Opening …")  # fmt: skip
    state = State.BAD if "rejected" in seen.title else State.OK
    return Screen(main=[draw.piece(draw.end(state, seen.ask))], primary=back)


SCREENS = {
    Doing.VERIFY: verify_screen,
    Doing.HELD: held_screen,
    Doing.OVER: over_screen,
}
