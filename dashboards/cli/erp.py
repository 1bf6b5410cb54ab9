"""The boundary to the ERP: `erp status`."""

import json

import typer

from dashboards.cli.terminal import Data, say

app = typer.Typer()
erp = typer.Typer(no_args_is_help=True, help="The boundary to the ERP.")
app.add_typer(erp, name="erp")


@erp.command("status")
def erp_status(data: Data) -> None:
    """Say what waits for the ERP, what is done and what needs a person."""
    from erp import evidence
    from erp.outbox import Outbox

    outbox = Outbox(f"sqlite:///{data / 'erp_outbox.db'}")
    counts = {str(state): count for state, count in evidence.counts(outbox).items()}
    oldest = evidence.oldest_open(outbox)
    outbox.close()
    say(json.dumps({"messages": counts, "oldest_open_at": oldest}, indent=1))
