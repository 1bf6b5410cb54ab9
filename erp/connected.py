"""An adapter as a running plant holds it: address, connections, and maybe signed receipts."""

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


@runtime_checkable
class Signs(Protocol):
    """An ERP that signs its receipts: `sends` signs what it is told, `receipts` proves them."""

    sends: Keys
    receipts: Keys
