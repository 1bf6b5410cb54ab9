"""The command line: a wrong folder is refused in a sentence, and nothing is made in it."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from dashboards.cli import app


@pytest.mark.parametrize(
    ("command", "missing"),
    [
        (["erp", "status"], "erp_outbox.db"),
        (["keys", "list"], "ledger.db"),
        (["rebuild"], "ledger.db"),
        (["export", "--out", "bundle"], "ledger.db"),
        (["adopt-actions", "--user", "quinn", "--plant", "tablets"], "ledger.db"),
        (["keys", "rotate", "--plant", "tablets", "--why", "Yearly."], "ledger.db"),
    ],
    ids=lambda it: " ".join(it[:2]) if isinstance(it, list) else it,
)
@pytest.mark.parametrize("is_there", [True, False], ids=["empty", "absent"])
def test_folder_that_holds_no_plant_is_refused_and_left_as_it_is(
    tmp_path: Path, command: list[str], missing: str, *, is_there: bool
) -> None:
    data = tmp_path / "typed-wrong"
    if is_there:
        data.mkdir()
    told = CliRunner().invoke(app, [*command, "--data", str(data)])
    assert (told.exit_code, type(told.exception)) == (1, SystemExit)
    assert f"{data}: holds no {missing}. Name the" in told.output
    assert data.is_dir() is is_there
    assert not is_there or list(data.iterdir()) == []
