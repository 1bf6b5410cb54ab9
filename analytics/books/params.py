"""A book's parameters: text in the URL, typed values in the query, checked in between."""

from dataclasses import dataclass
from datetime import date
from typing import Any

from analytics.books.format import Param
from analytics.books.provenance import plain
from core.errors import Refused


class ParamRefused(Refused):
    """A parameter's value is not one that the book takes."""

    def __init__(self, name: str, value: str, rule: str) -> None:
        super().__init__(f"{name}: {value!r} is not {rule}. Choose another value.", name=name)


@dataclass(frozen=True, slots=True, kw_only=True)
class ParamField:
    """A parameter as a form shows it; `value` is text for the URL."""

    name: str
    kind: str
    label: str
    value: str
    options: tuple[str, ...] = ()
    low: int | None = None
    high: int | None = None


def any_value(param: Param) -> Any:
    """Return some value of a parameter's type, to see whether a query binds."""
    return "" if param.kind == "choice" and param.default is None else param.default


def field_of(param: Param, options: tuple[str, ...], given: str | None) -> ParamField:
    """Return a parameter with its value checked."""
    value = given
    if value is None or value == "":
        value = "" if param.default is None else str(plain(param.default))
        if param.kind == "choice" and value not in options:
            value = options[0] if options else ""
    elif param.kind == "choice" and value not in options:
        raise ParamRefused(param.label, value, "one of the options")
    try:
        bound = bound_value(param, value)
    except ValueError as fault:
        rule = "a whole number" if param.kind == "int" else "a day such as 2026-03-02"
        raise ParamRefused(param.label, value, rule) from fault
    if param.kind == "int":
        assert param.low is not None
        assert param.high is not None
        if not param.low <= bound <= param.high:
            raise ParamRefused(param.label, value, f"{param.low} to {param.high}")
    return ParamField(
        name=param.name,
        kind=param.kind,
        label=param.label,
        value=value,
        options=options,
        low=param.low,
        high=param.high,
    )


def bound_value(param: Param, value: str) -> Any:
    if param.kind == "int":
        return int(value)
    return date.fromisoformat(value) if param.kind == "date" else value
