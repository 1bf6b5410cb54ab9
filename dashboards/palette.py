"""The colours of Batchwright in light and dark, and the contrast they must keep.

Grey and calm: colour marks what is not normal. No state is told by colour alone; each has a
word and a sign as well. Contrast follows WCAG 2.2: text 4.5:1, graphics and controls 3:1.
"""

from dataclasses import dataclass, fields
from enum import StrEnum
from fractions import Fraction

TEXT_RATIO = Fraction(9, 2)
GRAPHIC_RATIO = Fraction(3)


class State(StrEnum):
    """What a chip, a card or a bar says about the thing it names."""

    OK = "ok"
    NEAR = "near"
    BAD = "bad"
    INFO = "info"
    HELD = "held"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Palette:
    """One scheme. State colours are used as text, as sign and as border on `surface`."""

    page: str
    surface: str
    raised: str
    text: str
    muted: str
    line: str
    control: str
    primary: str
    on_primary: str
    header: str
    on_header: str
    ok: str
    near: str
    bad: str
    info: str
    held: str
    unknown: str
    alarm: str
    on_alarm: str

    def state(self, state: State) -> str:
        """Return the colour of a state."""
        return str(getattr(self, state.value))

    def css(self) -> str:
        """Return the custom properties, one per colour: `--bw-surface: #ffffff; ...`."""
        return " ".join(
            f"--bw-{field.name.replace('_', '-')}: {getattr(self, field.name)};"
            for field in fields(self)
        )


LIGHT = Palette(
    page="#f2f4f6", surface="#ffffff", raised="#e9edf1", text="#17222c", muted="#4a5966",
    line="#c9d1d8", control="#66757f", primary="#0b4f8a", on_primary="#ffffff",
    header="#22313f", on_header="#f4f7f9", ok="#1b7138", near="#865300", bad="#b3201b",
    info="#0b4f8a", held="#73308a", unknown="#52606b", alarm="#a8140f", on_alarm="#ffffff",
)  # fmt: skip
DARK = Palette(
    page="#10161b", surface="#1a222a", raised="#25303a", text="#e7edf2", muted="#aebbc6",
    line="#384652", control="#7f909d", primary="#7db7ee", on_primary="#08192a",
    header="#0b1015", on_header="#e7edf2", ok="#5cc780", near="#ecb754", bad="#ff8d84",
    info="#7db7ee", held="#d9a0e8", unknown="#b4c0ca", alarm="#b01812", on_alarm="#ffffff",
)  # fmt: skip

# Series colours of charts, told apart by people who do not see red and green apart as well.
SERIES_LIGHT = ("#0b4f8a", "#b0560f", "#4f6b1d", "#73308a", "#00717a", "#8c2d52", "#52606b")
SERIES_DARK = ("#7db7ee", "#f0a35e", "#a9c967", "#d9a0e8", "#5cc9d2", "#f090b4", "#b4c0ca")


def of(dark: bool) -> Palette:
    """Return the palette of a scheme."""
    return DARK if dark else LIGHT


def _luminance(colour: str) -> Fraction:
    """Return the relative luminance of `#rrggbb` (WCAG 2.2), to nine decimals."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    value = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return Fraction(round(value * 10**9), 10**9)


def contrast(one: str, other: str) -> Fraction:
    """Return the contrast ratio of two colours, from 1 to 21."""
    bright, dim = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (bright + Fraction(1, 20)) / (dim + Fraction(1, 20))
