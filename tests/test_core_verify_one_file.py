"""The verifier of a bundle: one file, put together from modules, that needs Python and no more."""

import ast
import os
import subprocess
import sys
from collections import Counter
from importlib.resources import files
from pathlib import Path

import pytest

from core.ledger.export import export_bundle, export_streams
from core.ledger.job import Draft
from core.verify.one_file import MODULES, one_file
from tests.ledgers import KEY, job, reading, writing


def parsed(name: str) -> ast.Module:
    return ast.parse(files("core.verify").joinpath(f"{name}.py").read_text("utf-8"))


def own_names(tree: ast.Module) -> list[str]:
    """Return what a module calls its functions, classes and values."""
    found = []
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.append(node.name)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            walked = (one for target in targets for one in ast.walk(target))
            found += [one.id for one in walked if isinstance(one, ast.Name)]
    return found


def test_modules_are_all_there_and_in_an_order_in_which_each_finds_what_it_needs() -> None:
    there = {path.name for path in files("core.verify").iterdir() if path.name.endswith(".py")}
    assert there == {"__init__.py", "one_file.py", *(f"{name}.py" for name in MODULES)}
    before: set[str] = set()
    for name in MODULES:
        imports = [node for node in ast.walk(parsed(name)) if isinstance(node, ast.ImportFrom)]
        ours = {str(one.module) for one in imports if str(one.module).startswith("core.")}
        assert ours <= before, name
        before.add(f"core.verify.{name}")


def test_no_two_modules_use_one_name_and_none_renames_what_it_imports() -> None:
    counted = Counter(name for module in MODULES for name in set(own_names(parsed(module))))
    assert [name for name, count in counted.items() if count > 1] == []
    for module in MODULES:
        for node in ast.walk(parsed(module)):
            if isinstance(node, ast.Import | ast.ImportFrom):
                assert [one.asname for one in node.names if one.asname] == [], module


def test_one_file_imports_the_standard_library_alone() -> None:
    tree = ast.parse(one_file())
    named = [one.name for n in ast.walk(tree) if isinstance(n, ast.Import) for one in n.names]
    named += [str(n.module) for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)]
    assert {name.split(".")[0] for name in named} <= set(sys.stdlib_module_names)
    assert sorted(own_names(tree)) == sorted(
        name for module in MODULES for name in own_names(parsed(module))
    )


def test_every_bundle_of_one_version_holds_the_same_verifier(tmp_path: Path) -> None:
    with writing(tmp_path / "ledger.db") as writer:
        writer.submit(job("one", Draft("lot/L1", "lot.seen", 1, {"n": 1}))).result(20)
    with reading(tmp_path / "ledger.db") as ledger:
        export_bundle(ledger, tmp_path / "whole", vkey=KEY.vkey)
        export_streams(ledger, ["lot/L1"], tmp_path / "some", vkey=KEY.vkey)
    texts = {(tmp_path / name / "verify.py").read_bytes() for name in ("whole", "some")}
    one_file.cache_clear()
    assert texts == {one_file().encode("utf-8")}


@pytest.mark.requirement("H8")
def test_it_runs_where_there_is_nothing_but_python_and_the_bundle(tmp_path: Path) -> None:
    """No site packages, no environment, no folder of ours: only what the file itself names."""
    with writing(tmp_path / "ledger.db") as writer:
        writer.submit(job("one", Draft("lot/L1", "lot.seen", 1, {"n": 1}))).result(20)
    with reading(tmp_path / "ledger.db") as ledger:
        export_bundle(ledger, tmp_path / "bundle", vkey=KEY.vkey)
    alone = tmp_path / "elsewhere" / "verify.py"
    alone.parent.mkdir()
    (tmp_path / "bundle" / "verify.py").rename(alone)
    alone_says = said(alone, tmp_path / "bundle")
    assert alone_says.startswith("NOT PROVEN: verify.py is missing from the bundle")
    (tmp_path / "bundle" / "verify.py").write_bytes(alone.read_bytes())
    assert said(alone, tmp_path / "bundle").startswith("OK: 1 entries\n")


def said(program: Path, bundle: Path) -> str:
    kept = {name: os.environ[name] for name in ("SYSTEMROOT",) if name in os.environ}
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-B", str(program), str(bundle)], cwd=program.parent,
        env=kept, capture_output=True, encoding="utf-8", check=False, timeout=60,
    )  # fmt: skip
    assert done.stderr == ""
    return done.stdout
