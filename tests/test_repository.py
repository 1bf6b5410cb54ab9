"""The house rules of the checkout: who imports what, how large a file is, what core never does."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.write_golden import unwritten

ROOT = Path(__file__).resolve().parent.parent
MAY_IMPORT: dict[str, set[str]] = {
    "core": set(),
    "config": {"core"},
    "capture": {"core", "config"},
    "erp": {"core", "config"},
    "analytics": {"core", "config"},
    "dashboards": {"core", "config", "capture", "erp", "analytics"},
}
# library -> the only paths that may import it
SCREENS = ("dashboards/",)
HOME: dict[str, tuple[str, ...]] = {
    "panel": SCREENS,
    "panel_material_ui": SCREENS,
    "bokeh": SCREENS,
    "holoviews": SCREENS,
    "param": SCREENS,
    "typer": SCREENS,
    "prometheus_client": SCREENS,
    "fastapi": ("dashboards/", "erp/", "capture/"),
    "starlette": ("dashboards/", "erp/", "capture/"),
    "uvicorn": ("dashboards/", "erp/sandbox/", "erp/simulated/"),
    "jinja2": ("dashboards/", "capture/"),
    "duckdb": ("analytics/",),
    "pandas": ("analytics/", "dashboards/"),
    "numpy": ("analytics/", "dashboards/", "capture/simulated/"),
    "pyarrow": ("analytics/", "capture/telemetry"),
    "pymodbus": ("capture/",),
    "serial": ("capture/",),
    "biip": ("capture/",),
    "qbwc_kit": ("erp/adapters/quickbooks/", "erp/simulated/"),
    "httpx": (
        "erp/",
        "dashboards/demo",
        "dashboards/crew",
        "dashboards/oidc/",
        "dashboards/qualify/",
    ),
    "joserfc": (
        "core/provider_proof",
        "dashboards/oidc/",
        "erp/adapters/netsuite/login",
        "erp/simulated/netsuite",
    ),
    "nats": ("erp/stream",),
    "websockets": SCREENS,
    "sqlalchemy": ("core/", "erp/", "capture/telemetry"),
    "psycopg": ("core/", "dashboards/faults/"),
    "alembic": ("core/migrations/",),
    "rfc3161_client": ("core/ledger/timestamp",),
    "msgspec": (
        "core/",
        "erp/",
        "capture/",
        "config/",
        "dashboards/api",
        "dashboards/openapi",
        "dashboards/finance/",
        "dashboards/problem",
    ),
    "cryptography": ("core/", "erp/"),
    "argon2": ("core/", "erp/"),
    "webauthn": ("core/passkey_proof",),
    "pydantic": ("config/", "erp/", "dashboards/"),
    "pydantic_settings": ("config/",),
    "structlog": ("dashboards/", "capture/", "erp/"),
    "yaml": ("config/", "analytics/books/"),
    "typst": ("dashboards/record/",),
    "xlsxwriter": ("dashboards/finance/",),
    "pyhanko": ("dashboards/record/",),
    "pyhanko_certvalidator": ("dashboards/record/",),
    "asn1crypto": ("dashboards/record/",),
    "segno": ("dashboards/",),
    "markdown_it": ("dashboards/", "analytics/books/"),
}
LONGEST_FILE, LONGEST_FUNCTION, MOST_PLAIN = 400, 60, 3
# The ERP's side of one boundary, under its own licence and its own program's rules.
GUEST = ROOT / "erp" / "bridges" / "tryton"
VAGUE = {"utils", "util", "helpers", "misc", "common"}


def imported(node: ast.AST) -> list[str]:
    """Return the modules that one node imports; "." for a relative import."""
    if isinstance(node, ast.ImportFrom):
        return [node.module or "" if node.level == 0 else "."]
    if isinstance(node, ast.Import):
        return [name.name for name in node.names]
    if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
        name = node.func.attr if isinstance(node.func, ast.Attribute) else ""
        name = node.func.id if isinstance(node.func, ast.Name) else name
        if name in ("import_module", "__import__"):
            return [str(node.args[0].value)]
    return []


def import_faults(where: str, node: ast.AST) -> list[str]:
    layer, found = where.split("/")[0], []
    for module in imported(node):
        name = module.split(".")[0]
        if module == ".":
            found.append("imports are absolute: one spelling per module")
        elif layer in MAY_IMPORT and name in MAY_IMPORT and name not in MAY_IMPORT[layer] | {layer}:
            found.append(f"{layer} may not import {name}")
        elif layer in MAY_IMPORT and name in HOME and not where.startswith(HOME[name]):
            found.append(f"{name} belongs in {', '.join(HOME[name])}")
        elif where.startswith("core/verify/") and not (
            name in sys.stdlib_module_names or module.startswith("core.verify.")
        ):
            found.append("the verifier travels alone: the standard library only")
    return found


def function_faults(where: str, node: ast.AST) -> list[str]:
    if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return []
    found = []
    if (node.end_lineno or 0) - node.lineno >= LONGEST_FUNCTION:
        found.append(f"{node.name}: more than {LONGEST_FUNCTION} lines")
    plain = {arg.arg for arg in node.args.posonlyargs + node.args.args} - {"self", "cls"}
    if len(plain) > MOST_PLAIN and not where.startswith(
        "tests/"
    ):  # a test's arguments are fixtures
        found.append(f"{node.name}: arguments after the third must be keyword-only")
    return found


def float_faults(where: str, node: ast.AST) -> list[str]:
    if not where.startswith("core/"):
        return []
    literal = isinstance(node, ast.Constant) and isinstance(node.value, float)
    call = (
        isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "float"
    )
    return [f"line {node.lineno}: no float in core"] if literal or call else []  # type: ignore[attr-defined]


def time_faults(node: ast.AST) -> list[str]:
    """Return a fault for a call that makes a datetime without a zone, or reads a local calendar."""
    if not isinstance(node, ast.Call):
        return []
    where = f"line {node.lineno}: "
    given = {keyword.arg for keyword in node.keywords}
    if isinstance(node.func, ast.Name):
        bare = node.func.id == "datetime" and len(node.args) < 8 and "tzinfo" not in given
        return [where + "datetime() without tzinfo"] if bare else []
    if not isinstance(node.func, ast.Attribute):
        return []
    owner = ast.unparse(node.func.value).split(".")[-1]
    name = node.func.attr
    if owner == "datetime" and name == "datetime" and len(node.args) < 8 and "tzinfo" not in given:
        return [where + "datetime() without tzinfo"]
    if owner not in ("datetime", "date"):
        return []
    zone_at = {"now": 1, "fromtimestamp": 2, "combine": 3}.get(name)
    zoned = zone_at is not None and (len(node.args) >= zone_at or given & {"tz", "tzinfo"})
    if name in ("utcnow", "utcfromtimestamp", "today") or (zone_at is not None and not zoned):
        return [where + f"{owner}.{name}() without a zone"]
    return []


def faults(where: str, source: str) -> list[str]:
    """Return every broken house rule of one file, as sentences."""
    found = []
    longest = LONGEST_FILE
    if source.count("\n") > longest:
        found.append(f"more than {longest} lines")
    if VAGUE & set(Path(where).with_suffix("").parts):
        found.append("a module is named after what it holds, not utils")
    for node in ast.walk(ast.parse(source)):
        found += import_faults(where, node) + function_faults(where, node)
        found += float_faults(where, node) + time_faults(node)
    return found


def files() -> list[str]:
    """Return every Python file of ours, relative to the checkout."""
    folders = [*MAY_IMPORT, "tests"]
    inside = [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]
    inside = [path for path in inside if not path.is_relative_to(GUEST)]
    return [path.relative_to(ROOT).as_posix() for path in [*inside, ROOT / "run.py"]]


@pytest.mark.parametrize("where", files())
def test_file_keeps_the_house_rules(where: str) -> None:
    assert faults(where, (ROOT / where).read_text("utf-8")) == []


TRAVELS = "the verifier travels alone: the standard library only"
DEEP = "def f():\n" + "    x = 1\n"
PLANTED = [
    ("core/batch.py", "import panel", "panel belongs in dashboards/"),
    ("core/batch.py", "from config.plant import Plant", "core may not import config"),
    ("capture/scales.py", "from erp import outbox", "capture may not import erp"),
    ("erp/relay.py", "import analytics.oee", "erp may not import analytics"),
    ("config/plant.py", "from capture.reading import Reading", "config may not import capture"),
    ("analytics/oee.py", "import dashboards", "analytics may not import dashboards"),
    (
        "analytics/oee.py",
        "def f():\n    import httpx",
        "httpx belongs in erp/, dashboards/demo, dashboards/crew, dashboards/oidc/,"
        " dashboards/qualify/",
    ),
    ("dashboards/api.py", "__import__('duckdb')", "duckdb belongs in analytics/"),
    ("core/execution.py", "import_module('erp.relay')", "core may not import erp"),
    ("core/verify/proof.py", "import msgspec", TRAVELS),
    ("core/verify/proof.py", "from core.ledger.merkle import node", TRAVELS),
    ("erp/relay.py", "from . import outbox", "imports are absolute: one spelling per module"),
    (
        "tests/test_core_batch.py",
        "from .conftest import x",
        "imports are absolute: one spelling per module",
    ),
    ("core/batch.py", "x = 1\n" * 401, "more than 400 lines"),
    ("erp/relay.py", DEEP * 1 + "    x = 1\n" * 59, "f: more than 60 lines"),
    ("erp/relay.py", "def f(a, b, c, d): ...", "f: arguments after the third must be keyword-only"),
    ("core/quantity.py", "half = 0.5", "line 1: no float in core"),
    ("core/quantity.py", "half = float('0.5')", "line 1: no float in core"),
    ("erp/relay.py", "at = datetime.now()", "line 1: datetime.now() without a zone"),
    ("erp/relay.py", "at = datetime.datetime.now()", "line 1: datetime.now() without a zone"),
    ("erp/relay.py", "at = datetime.utcnow()", "line 1: datetime.utcnow() without a zone"),
    (
        "erp/relay.py",
        "at = datetime.fromtimestamp(0)",
        "line 1: datetime.fromtimestamp() without a zone",
    ),
    ("erp/relay.py", "at = datetime.combine(a, b)", "line 1: datetime.combine() without a zone"),
    ("erp/relay.py", "day = date.today()", "line 1: date.today() without a zone"),
    ("erp/relay.py", "at = datetime(2026, 1, 1)", "line 1: datetime() without tzinfo"),
    ("erp/relay.py", "at = datetime.datetime(2026, 1, 1)", "line 1: datetime() without tzinfo"),
    ("core/utils.py", "x = 1", "a module is named after what it holds, not utils"),
    ("erp/helpers/text.py", "x = 1", "a module is named after what it holds, not utils"),
]


@pytest.mark.parametrize(("where", "source", "sentence"), PLANTED)
def test_planted_fault_is_found_once(where: str, source: str, sentence: str) -> None:
    assert faults(where, source) == [sentence]


ALLOWED = [
    ("core/batch.py", "import msgspec\nimport sqlalchemy\nfrom core.errors import Refused"),
    ("dashboards/server.py", "import panel\nfrom erp import outbox\nfrom capture import scales"),
    ("erp/sandbox/app.py", "import fastapi, uvicorn, httpx"),
    ("core/batch.py", "x = 1\n" * 400),
    ("erp/relay.py", DEEP + "    x = 1\n" * 58),
    ("erp/relay.py", "class R:\n    def f(self, a, b, c, *, d, e): ..."),
    ("tests/test_core_batch.py", "def test_x(tmp_path, server, browser, page): ..."),
    ("core/quantity.py", "def f(x: object) -> bool:\n    return isinstance(x, float)"),
    ("erp/relay.py", "at = datetime.now(UTC)\nnow = clock.now()\nt = datetime.now(tz=UTC)"),
    ("erp/relay.py", "at = datetime.fromtimestamp(0, UTC)\nx = datetime(2026, 1, 1, tzinfo=UTC)"),
]


@pytest.mark.parametrize(("where", "source"), ALLOWED)
def test_code_within_the_rules_has_no_fault(where: str, source: str) -> None:
    assert faults(where, source) == []


def test_no_other_distribution_owns_our_package_names() -> None:
    owners = packages_distributions()
    assert {
        name: owners[name] for name in MAY_IMPORT if set(owners.get(name, [])) - {"batchwright"}
    } == {}


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_package_says_in_few_lines_what_it_may_import(package: str) -> None:
    text = (ROOT / package / "__init__.py").read_text("utf-8")
    assert "import" in text.lower()
    assert text.count("\n") <= 15


def test_every_folder_of_code_is_a_package() -> None:
    folders = {path.parent for package in MAY_IMPORT for path in (ROOT / package).rglob("*.py")}
    folders = {folder for folder in folders if not folder.is_relative_to(GUEST)}
    missing = [folder for folder in folders if not (folder / "__init__.py").is_file()]
    assert missing == []


def test_no_other_top_level_folder_holds_code() -> None:
    visible = (path for path in ROOT.iterdir() if path.is_dir() and not path.name.startswith("."))
    code = {path.name for path in visible if any(path.glob("*.py"))}
    assert code <= {*MAY_IMPORT, "tests"}


def test_tests_are_flat() -> None:
    tests = ROOT / "tests"
    assert [path for path in tests.rglob("test_*.py") if path.parent != tests] == []


def test_every_event_has_its_golden_file() -> None:
    assert unwritten() == ""


def locked() -> dict[str, str]:
    """Return the locked version of each distribution."""
    text = (ROOT / "requirements.lock").read_text("utf-8")
    return dict(re.findall(r"^([a-z0-9-]+)==([^ ;\\]+)", text, re.MULTILINE))


def test_lock_names_no_index_and_hashes_every_line() -> None:
    text = (ROOT / "requirements.lock").read_text("utf-8")
    options = re.findall(r"(?m)^\s*(--?[a-z-]+)", text)
    assert set(options) == {"--hash"}
    assert "://" not in text
    blocks = re.split(r"(?m)^(?=[a-z0-9])", text)[1:]
    assert [block.split()[0] for block in blocks if "--hash=sha256:" not in block] == []


def test_lock_holds_what_pyproject_asks_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    extras = project["project"]["optional-dependencies"]["postgres"]
    wanted = project["project"]["dependencies"] + extras + project["dependency-groups"]["dev"]
    versions = locked()
    asked = [Requirement(line) for line in wanted]
    wrong = [str(one) for one in asked if versions.get(one.name.lower(), "0") not in one.specifier]
    assert wrong == []
