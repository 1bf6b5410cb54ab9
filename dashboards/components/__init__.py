"""Controls of our own for gloved hands, scanners and scales; all keys stay in the browser."""

from pathlib import Path

HERE = Path(__file__).parent


def with_focus(script: Path) -> str:
    """Return the module of a component that opens a dialog, with what gives the focus back."""
    return (HERE / "focus.js").read_text("utf-8") + script.read_text("utf-8")
