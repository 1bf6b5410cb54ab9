"""What has just come onto a page, said to whoever does not see it, and where the focus then is.

The pieces of a page are put in anew, and a region that comes with its own words is not read out.
This one stays; it takes no room on the screen.
"""

from pathlib import Path
from typing import Any

import param
from panel.custom import JSComponent


class Announcer(JSComponent):
    """Says its text when it changes, and catches the focus of a control that is gone."""

    text = param.String(default="")

    _esm = (Path(__file__).parent / "announcer.js").read_text("utf-8")

    def __init__(self, **params: Any) -> None:
        """Make the announcer; it belongs before the pieces whose change it tells."""
        super().__init__(**{"height": 0, "margin": 0, **params})
