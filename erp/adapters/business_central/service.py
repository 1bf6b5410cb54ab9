"""One company of Business Central: where its pages are."""

from erp.adapters.calling import Login
from erp.adapters.odata4 import OData4


class BcService(OData4):
    """All I/O; safe to use from several threads.

    Standard pages are `api/v2.0`, Microsoft's queries for analytics `api/microsoft/analytics/v1.0`,
    the customer's own `api/{publisher}/{group}/{version}`.
    """

    def __init__(self, address: str, login: Login, *, company: str, timeout_s: float) -> None:
        super().__init__(address, login, timeout_s=timeout_s)
        self._company = f"companies({company})"

    def path(self, api: str, name: str = "") -> str:
        """Return the path of a page of the company, or of the company itself."""
        return f"api/{api}/{self._company}" + (f"/{name}" if name else "")
