"""The command line `batchwright`: one module for each kind of work, put together here.

Commands import what they need when they run, so that `--help` and `verify` load no screens.
"""

import typer

from dashboards.cli import (
    erp,
    erp_keys,
    figures,
    keeping,
    keys,
    plant,
    qualifying,
    recovery,
    secrets,
)

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
for part in (plant, keeping, figures, erp, erp_keys, secrets, keys, recovery, qualifying):
    app.add_typer(part.app)


def main() -> None:
    """Run the command line."""
    app()
