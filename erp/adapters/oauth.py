"""OAuth 2: a token of an identity provider, asked for when it is needed and kept until it ends.

`grant` returns the form of one request for a token, made anew each time: an assertion in it is
signed for that moment.
"""

import threading
import time
from collections.abc import Callable, Mapping

import httpx

from erp.adapters.calling import LoginRefused, Throttled
from erp.errors import ErpUnreachable
from erp.trust import trusted
from erp.webhook import TIMEOUT_S, retry_after

EARLY_S = 60  # a token that ends under way would be refused half-way through a posting
UNSAID_S = 300  # RFC 6749 lets a provider leave expires_in out


class Token:
    """Who we are, as the provider says it; safe to use from several threads."""

    def __init__(
        self,
        url: str,
        grant: Callable[[], Mapping[str, str]],
        *,
        client: tuple[str, str] | None = None,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        self._url = url
        self._grant = grant
        self._client = client  # id and secret, where the provider wants them in the header
        self._timeout_s = timeout_s
        self._lock = threading.Lock()
        self._token: str | None = None
        self._until = 0.0

    def headers(self) -> Mapping[str, str]:
        """Return the header with a token that still holds.

        Raises:
            LoginRefused: the provider does not accept who we are.
            Throttled, ErpUnreachable: it gave no token.
        """
        with self._lock:
            if self._token is None or time.monotonic() >= self._until:
                self._token, lasts_s = self._fetch()
                self._until = time.monotonic() + max(lasts_s - EARLY_S, 1)
            return {"authorization": f"Bearer {self._token}"}

    def renew(self, headers: Mapping[str, str]) -> bool:
        """Forget the token that was refused; the next call asks for one more."""
        with self._lock:
            if headers.get("authorization") == f"Bearer {self._token}":
                self._token = None
        return True

    def _fetch(self) -> tuple[str, int]:
        try:
            # trust_env off: a proxy in somebody's environment must not see a plant's secret.
            answer = httpx.post(
                self._url,
                data=dict(self._grant()),
                headers={"accept": "application/json"},
                auth=self._client,
                timeout=self._timeout_s,
                verify=trusted(),
                trust_env=False,
            )
        except httpx.HTTPError as fault:
            raise ErpUnreachable(self._url, f"{type(fault).__name__} at the token") from fault
        status = answer.status_code
        if status in (400, 401, 403):  # RFC 6749, 5.2: invalid_client, invalid_grant
            raise LoginRefused(self._url, f"{status}: no token is given: {_error(answer)}")
        if status in (429, 503):
            after = retry_after(answer.headers)
            raise Throttled(self._url, f"{status}: throttled at the token", after)
        try:
            given = answer.raise_for_status().json()
            return str(given["access_token"]), int(given.get("expires_in", UNSAID_S))
        except (httpx.HTTPStatusError, ValueError, KeyError, TypeError, AttributeError) as fault:
            raise ErpUnreachable(self._url, f"no token in status {status}") from fault


def _error(answer: httpx.Response) -> str:
    """Return the provider's error code alone: its description may quote what we sent."""
    try:
        return str(answer.json()["error"])
    except (ValueError, KeyError, TypeError):
        return "unreadable"


def client_credentials(
    url: str,
    *,
    client_id: str,
    secret: str,
    scope: str | None = None,
    in_header: bool = False,
) -> Token:
    """Return a login by id and secret of an application (RFC 6749, 4.4), in the form or header."""
    form = {"grant_type": "client_credentials"} | ({"scope": scope} if scope else {})
    if in_header:
        return Token(url, lambda: form, client=(client_id, secret))
    whose = {"client_id": client_id, "client_secret": secret}
    return Token(url, lambda: form | whose)
