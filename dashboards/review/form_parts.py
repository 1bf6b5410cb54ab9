"""What the forms of a review are made of: a frame, a text area, a button."""

from collections.abc import Callable
from typing import Any

import panel.ui as pu

FRAME = {
    "background": "var(--bw-surface)",
    "border": "1px solid var(--bw-line)",
    "border-left": "5px solid var(--bw-primary)",
    "border-radius": "8px",
    "padding": "12px 18px",
}
LONGEST = 2000


def box(*inside: Any, **params: Any) -> pu.Column:
    """Return a frame around one form."""
    return pu.Column(
        *inside, sizing_mode="stretch_width", styles=FRAME, margin=(0, 0, 14, 0), **params
    )


def area(label: str, **params: Any) -> pu.TextAreaInput:
    """Return a field for sentences."""
    return pu.TextAreaInput(
        label=label, rows=3, max_length=LONGEST, sizing_mode="stretch_width", margin=(6, 0),
        **params,
    )  # fmt: skip


def button(label: str, color: str, pressed: Callable[[Any], Any], **params: Any) -> pu.Button:
    """Return the button that ends a form."""
    return pu.Button(
        label=label, color=color, on_click=pressed, margin=(6, 0), width=260, height=48, **params
    )


def text_of(field: pu.TextAreaInput | pu.TextInput) -> str:
    """Return what stands in a field, also before it was left."""
    return str(field.value_input or field.value or "")


def put(field: pu.TextAreaInput | pu.TextInput, text: str) -> None:
    """Write into a field, also over what was not sent yet."""
    field.param.update(value=text, value_input=text)
