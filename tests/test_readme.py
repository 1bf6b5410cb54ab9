"""The README: its commands exist, its map is the checkout, its links and tests are there."""

import re
import tomllib
from pathlib import Path

import msgspec
import pytest
import typer

import run
from analytics.books.format import parse
from analytics.books.lint import lint
from analytics.store import open_store
from config.boundary import PROFILES, read_profile
from config.faults import Findings, read_record
from config.load import load_plant
from config.plant import ScaleDevice
from config.settings import Settings
from dashboards.cli import app
from dashboards.serving import erp_link
from erp.connected import Signs
from erp.signing import new_secret

ROOT = Path(__file__).resolve().parent.parent
TEXT = (ROOT / "README.md").read_text("utf-8")
EXPORT = re.compile(r"export BATCHWRIGHT_([A-Z_]+)=")
PICTURES = ("kiosk", "review", "oee", "reconcile")


def fences(language: str) -> list[str]:
    found = re.findall(rf"^(`{{3,}}){language}\n(.*?)^\1$", TEXT, re.M | re.S)
    return [block for _, block in found]


def lines() -> list[str]:
    return [line for block in fences("sh") for line in block.splitlines() if line.strip()]


def section(title: str) -> str:
    found = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", TEXT, re.M | re.S)
    assert found is not None, title
    return found.group(1)


def refused(words: list[str]) -> str | None:
    """Return the first word of a command line that our command line does not know."""
    command = typer.main.get_command(app)
    while words and words[0] in getattr(command, "commands", {}):
        command = command.commands[words.pop(0)]
    if hasattr(command, "commands"):
        return words[0] if words else "a command is missing"
    known = {option for param in command.params for option in param.opts}
    return next((word for word in words if word.startswith("--") and word not in known), None)


@pytest.mark.parametrize("line", lines())
def test_a_command_line_of_the_readme_exists(line: str) -> None:
    program, *words = line.split()
    if found := EXPORT.match(line):
        assert found[1].lower() in Settings.model_fields
        return
    if program == ".venv/bin/batchwright":
        assert refused(words) is None
    elif words[0] == "run.py":
        assert f"run.py {words[1]} " in run.HELP
        assert refused(words[1:]) is None if words[1] == "demo" else words[2:] == []
    else:
        assert (program, words) == ("python3", ["bundle/verify.py", "bundle"])


def test_an_unknown_option_would_be_found() -> None:
    assert refused(["demo", "--speed", "2"]) == "--speed"
    assert refused(["fly"]) == "fly"
    assert refused(["erp"]) == "a command is missing"
    assert refused(["erp", "status", "--data", "x"]) is None


def test_the_folder_map_is_the_checkout() -> None:
    named = re.findall(r"^\| `([a-z]+)/` \|", section("Folder map"), re.M)
    visible = [path for path in ROOT.iterdir() if path.is_dir() and not path.name.startswith(".")]
    assert sorted(named) == sorted(path.name for path in visible if any(path.glob("*.py")))


def test_every_link_of_the_readme_leads_to_a_file() -> None:
    links = re.findall(r"(?<!!)\[[^\]]*\]\(([^)]+)\)", TEXT)
    assert len(links) > 5
    assert [one for one in links if not (ROOT / one).is_file()] == []


def test_there_are_four_pictures_in_words_too() -> None:
    pictures = re.findall(r"!\[([^\]]*)\]\(([^)]+)\)", TEXT)
    assert [path for _, path in pictures] == [
        f"dashboards/help/pictures/{name}.png" for name in PICTURES
    ]
    assert all(len(words) > 40 for words, _ in pictures)


def test_every_picture_is_there_and_small() -> None:
    for name in PICTURES:
        picture = ROOT / "dashboards" / "help" / "pictures" / f"{name}.png"
        assert picture.read_bytes().startswith(b"\x89PNG"), name
        assert picture.stat().st_size < 400_000, name


def test_every_row_of_compliance_names_a_test_file_that_is_there() -> None:
    rows = [line for line in section("Compliance").splitlines() if "| `tests/" in line]
    assert len(rows) > 10
    for row in rows:
        *_, files = row.strip("|").split("|")
        for file in re.findall(r"`([^`]+)`", files):
            assert (ROOT / file).is_file(), row
        assert row.startswith(("| 21 CFR ", "| EU Annex 11 (2011) §")), row


def test_the_scale_of_the_readme_can_be_read() -> None:
    [block] = fences("toml")
    findings = Findings()
    [scale] = tomllib.loads(block)["scales"]
    assert read_record(findings, "README.md", scale, kind=ScaleDevice) is not None
    assert findings.faults == []


def test_the_settings_of_the_readme_connect_an_erp(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name, value in [line.split()[1].split("=") for line in lines() if EXPORT.match(line)]:
        # what stands there as whsec_… is for the reader to fill in
        monkeypatch.setenv(name, new_secret() if value.startswith("whsec_") else value)
    monkeypatch.setenv("BATCHWRIGHT_DATA_DIR", str(tmp_path))
    link = erp_link(Settings(), load_plant("tablets"))
    assert link is not None
    assert link.port.address == "https://erp.example"
    assert isinstance(link.port, Signs)
    link.port.close()


def test_the_book_of_the_readme_has_twelve_lines_and_no_fault() -> None:
    [block] = fences("markdown")
    assert block.count("\n") == 12
    book, faults = parse(block, "README.md")
    assert faults == []
    assert book is not None
    connection = open_store()
    try:
        assert lint(book, connection.cursor())[1] == []
    finally:
        connection.close()


@pytest.mark.requirement("B8")
def test_the_boundary_table_has_seven_decisions_of_the_profile() -> None:
    text = section("The boundary between MES and ERP")
    rows = [line for line in text.splitlines() if line.startswith("| ")][1:]
    assert len(rows) == 7
    policy, faults = read_profile("pharma", PROFILES)
    assert faults == ()
    assert policy is not None
    assert msgspec.structs.asdict(policy.decisions) == {
        "order_origin": "erp_and_mes",
        "bom_ownership": "erp_costs_mes_executes",
        "lot_birth": "both",
        "inventory_cadence": "each_movement",
        "batch_record": "mes",
        "deviations": "execution_in_mes_capa_in_qms",
        "finished_goods_cost": "erp",
    }
