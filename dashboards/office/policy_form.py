"""The form of a new version of the boundary policy; nothing is chosen that is not in force."""

from collections.abc import Callable
from typing import Any
from zoneinfo import ZoneInfo

import panel.ui as pu

from config.boundary import TITLES, choices
from core.authority import PlantRules
from core.policy import OPEN, Decisions
from dashboards import parts
from dashboards.office.policy import Draft
from dashboards.office.policy_view import choice_titles, preview
from dashboards.review.evidence import pane
from dashboards.review.form_parts import area, box, button, put, text_of

OWN = "As the newest version"


class PolicyForm:
    """Profile, seven decisions, effective time, reason."""

    def __init__(
        self,
        rules: Callable[[], PlantRules],
        ready: dict[str, tuple[str, Decisions]],
        *,
        zone: ZoneInfo,
        sign: Callable[[], None],
    ) -> None:
        self._rules, self._ready = rules, ready
        self._profile = pu.Select(
            label="Start from a profile", options=[OWN, *ready], value=OWN, width=560,
            margin=(6, 14, 6, 0),
        )  # fmt: skip
        self._menus = {name: self._menu(name) for name in TITLES if len(choices(name)) > 1}
        self._when = pu.TextInput(
            label=f"Effective from ({zone.key}), empty for at once",
            placeholder="2026-11-23 06:00", width=560, margin=(6, 14, 6, 0),
        )  # fmt: skip
        self._why, self._preview = area("Reason for the change"), pane(margin=0)
        self.answer = pane(margin=0)
        self._profile.param.watch(self._take_profile, "value")
        for menu in self._menus.values():
            menu.param.watch(lambda _: self._draw(), "value")
        fixed = " ".join(
            f"{title}: this cannot be switched." for name, title in TITLES.items()
            if name not in self._menus
        )  # fmt: skip
        self.body = box(
            pane(parts.heading("A new version"), margin=0),
            self._profile,
            pu.FlexBox(*self._menus.values(), margin=0),
            pane(parts.paragraph(fixed, muted=True), margin=0),
            self._preview,
            self._when,
            self._why,
            self.answer,
            button("Sign this version …", "primary", lambda _: sign()),
            visible=False,
        )
        self.reset()

    def _menu(self, name: str) -> pu.Select:
        return pu.Select(
            label=TITLES[name], options=choice_titles(name), width=560, margin=(6, 14, 6, 0)
        )

    @property
    def _newest(self) -> tuple[str, Decisions]:
        policies = self._rules().policies
        return (policies[-1].profile, policies[-1].decisions) if policies else ("own", OPEN)

    def reset(self) -> None:
        """Begin again from the newest version."""
        self._profile.value = OWN
        self._put(self._newest[1])
        put(self._when, "")
        put(self._why, "")
        self._draw()

    def draft(self) -> Draft:
        """Return what the form holds now."""
        profile = self._newest[0] if self._profile.value == OWN else str(self._profile.value)
        return Draft(
            profile=profile,
            choices=self._chosen(),
            when=text_of(self._when),
            why=text_of(self._why),
        )

    def _chosen(self) -> dict[str, str]:
        fixed = {name: choices(name)[0] for name in TITLES if name not in self._menus}
        return fixed | {name: str(menu.value) for name, menu in self._menus.items()}

    def _take_profile(self, _: Any) -> None:
        chosen = self._ready.get(str(self._profile.value))
        self._put(self._newest[1] if chosen is None else chosen[1])
        self._draw()

    def _put(self, decisions: Decisions) -> None:
        for name, menu in self._menus.items():
            menu.value = getattr(decisions, name)

    def _draw(self) -> None:
        policies = self._rules().policies
        after = Decisions(**self._chosen())  # type: ignore[arg-type]
        before = policies[-1].decisions if policies else None
        self._preview.object = parts.markup(preview(before, after))
