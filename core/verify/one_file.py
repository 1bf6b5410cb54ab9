"""The verifier as one file: its modules after one another, without what they import of each other.

The text follows from the modules alone, so every bundle of one version holds the same bytes.
"""

import ast
from functools import cache
from importlib.resources import files
from typing import NamedTuple

MODULES = (
    "bundle", "public_keys", "key_notes", "log_keys", "tree", "entries", "ecdsa_rsa",
    "outside_words", "signatures", "proof", "program",
)  # fmt: skip
FUTURE = "__future__"


class _Module(NamedTuple):
    says: str  # its docstring
    imports: tuple[str, ...]
    names: tuple[tuple[str, tuple[str, ...]], ...]  # from a module, these names
    code: str


@cache
def one_file() -> str:
    """Return the text of `verify.py`."""
    parts = [
        _read(files("core.verify").joinpath(f"{name}.py").read_text("utf-8")) for name in MODULES
    ]
    whole = sorted({f"import {name}" for part in parts for name in part.imports})
    names: dict[str, set[str]] = {}
    for module, some in (pair for part in parts for pair in part.names):
        names.setdefault(module, set()).update(some)
    chosen = [f"from {name} import {', '.join(sorted(names[name]))}" for name in sorted(names)]
    *others, program = parts
    head = f'#!/usr/bin/env python3\n"""{program.says}"""\n\nfrom {FUTURE} import annotations\n'
    sections = [f"{_comment(part.says)}\n\n{part.code}" for part in others]
    return "\n".join([head, *whole, *chosen]) + "\n\n\n" + "\n\n".join([*sections, program.code])


def _comment(says: str) -> str:
    return "\n".join(f"# {line}".rstrip() for line in says.strip().split("\n"))


def _read(source: str) -> _Module:
    tree = ast.parse(source)
    says, imports, names, end = ast.get_docstring(tree, clean=False), list[str](), [], 0
    assert says is not None, source
    for node in tree.body:
        if isinstance(node, ast.Import):
            imports += [one.name for one in node.names]
        elif isinstance(node, ast.ImportFrom):
            module = str(node.module)
            if module != FUTURE and not module.startswith("core.verify."):
                names.append((module, tuple(one.name for one in node.names)))
        else:
            continue
        end = node.end_lineno or 0
    code = "".join(source.splitlines(keepends=True)[end:]).strip("\n") + "\n"
    return _Module(says, tuple(imports), tuple(names), code)
