"""Sage X3's SOAP envelope, both ways; pure. Parameters and results are JSON, as X3 offers it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

PATH = "soap-generic/syracuse/collaboration/syracuse/CAdxWebServiceXmlCC"
HEADERS = {"content-type": "text/xml; charset=utf-8", "soapaction": '""'}
CONFIG = "adxwss.optreturn=JSON&adxwss.beautify=false"
DONE, ERROR = 1, 3  # status of a run; type of a message that refuses


@dataclass(frozen=True, slots=True)
class Answer:
    """What a run came back with; `words` are its messages in X3's language."""

    status: int
    words: str
    result: Mapping[str, Any]


def envelope(name: str, parameters: Mapping[str, str], *, pool: str, language: str) -> bytes:
    """Return a call of a published subprogram; the same bytes on every attempt."""
    given = json.dumps({"GRP1": dict(parameters)}, separators=(",", ":"))

    def typed(tag: str, value: str) -> str:
        return f'<{tag} xsi:type="xsd:string">{escape(value)}</{tag}>'

    context = (
        typed("codeLang", language)
        + typed("poolAlias", pool)
        + typed("poolId", "")
        + typed("requestConfig", CONFIG)
    )
    return (
        '<?xml version="1.0" encoding="utf-8"?>'
        '<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"'
        ' xmlns:wss="http://www.adonix.com/WSS" xmlns:xsd="http://www.w3.org/2001/XMLSchema"'
        ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><soapenv:Body>'
        '<wss:run soapenv:encodingStyle="http://schemas.xmlsoap.org/soap/encoding/">'
        f'<callContext xsi:type="wss:CAdxCallContext">{context}</callContext>'
        f"{typed('publicName', name)}{typed('inputXml', given)}"
        "</wss:run></soapenv:Body></soapenv:Envelope>"
    ).encode()


def parsed(body: bytes) -> ET.Element:
    """Return a document's root; one that declares entities is none.

    Raises:
        ValueError: it is no XML, or declares a document type.
    """
    if b"<!DOCTYPE" in body or b"<!ENTITY" in body:
        raise ValueError("a document type is declared")
    try:
        return ET.fromstring(body)  # noqa: S314 - no entity is declared
    except ET.ParseError as fault:
        raise ValueError(str(fault)) from fault


def local(tag: str) -> str:
    """Return an element's name without its namespace.

    >>> local("{http://www.adonix.com/WSS}run")
    'run'
    """
    return tag.rpartition("}")[2]


def answer_of(body: bytes) -> Answer:
    """Return what a run came back with.

    Raises:
        ValueError: it is no answer of a run; a SOAP fault is none.
    """
    root = parsed(body)
    found = next((one for one in root.iter() if local(one.tag) == "runReturn"), None)
    if found is None:
        words = next((one.text for one in root.iter() if local(one.tag) == "faultstring"), None)
        raise ValueError(f"no runReturn: {words or 'no fault either'}")
    parts = {local(child.tag): child for child in found}
    words = "; ".join(
        text.text or "" for text in found.iter() if local(text.tag) == "message" and text.text
    )
    status, text = parts.get("status"), parts.get("resultXml")
    if status is None or not (status.text or "").strip().isdigit():
        raise ValueError("a run without a status")
    result = json.loads(text.text) if text is not None and text.text else {}
    if not isinstance(result, dict):
        raise ValueError("a result that is no group")
    return Answer(int(status.text or 0), words, result)
