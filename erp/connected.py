"""An adapter as a running plant holds it: address, connections, and maybe signed receipts."""

from collections.abc import Callable
from datetime import datetime
from typing import Protocol, runtime_checkable

from fastapi import APIRouter

from erp.port import ErpAdapter
from erp.signing import Keys


class Connected(ErpAdapter, Protocol):
    """An adapter with its address, and connections to give back."""

    @property
    def address(self) -> str: ...
    def close(self) -> None: ...


@runtime_checkable
class Polled(Protocol):
    """An ERP that comes to us: `door` returns the routes by which it comes in."""

    def door(self) -> APIRouter: ...


type Alert = Callable[[str, int, datetime], None]


@runtime_checkable
class Guarded(Protocol):
    """An ERP that comes in by a door, which is shut after too many refused tries."""

    def on_locked(self, alert: Alert) -> None:
        """Call `alert` with door, refused tries and the time until which it is shut."""


@runtime_checkable
class Signs(Protocol):
    """An ERP that signs its receipts: `sends` signs what it is told, `receipts` proves them."""

    sends: Keys
    receipts: Keys
