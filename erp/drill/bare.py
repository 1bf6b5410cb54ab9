"""A sender that keeps nothing and checks nothing: what an ERP takes by itself.

A bench compares with it. It posts a message's stored bytes with the headers that the ERP asks for,
as an httpx client does it that nobody has tuned, and takes any 2xx for an answer.
"""

import httpx

from core.clock import now
from erp.rows import Row
from erp.signing import Keys
from erp.trust import trusted
from erp.webhook import TIMEOUT_S, headers_of


class BareSender:
    """One client for all orders, its connections kept open."""

    def __init__(self, address: str, keys: Keys) -> None:
        self._url = f"{address}/events"
        self._keys = keys
        self._client = httpx.Client(timeout=TIMEOUT_S, verify=trusted(), trust_env=False)

    def close(self) -> None:
        """Give the connections back."""
        self._client.close()

    def post(self, row: Row) -> bytes:
        """Send a message once and return the answer's bytes.

        Raises:
            httpx.HTTPError: no answer, or none of 2xx.
        """
        headers = headers_of(self._keys, row.event_id, at=now(), body=row.body)
        answer = self._client.post(self._url, content=row.body, headers=headers)
        return answer.raise_for_status().content
