"""The client of a sign-in provider: authorization code with PKCE, and a checked ID token.

Numbered as OpenID Connect Core 1.0 section 3.1.3.7 numbers its steps, as far as they apply:

1. the discovery document is the issuer's own, and every address in it is encrypted or local;
2. the code is exchanged once, with the verifier that only this server knows;
3. the token is signed by a key of the issuer, with an asymmetric algorithm;
4. `iss`, `aud`, `azp`, `exp`, `nbf` where it is there, `iat` and `nonce` are those of this sign-in;
5. where a fresh sign-in was asked, `auth_time` is not before the moment of asking.

Of a sign-in nothing but `sub` and `auth_time` leaves this module. What was asked about a signature
leaves it with the token, which is then evidence; see `core.provider_proof`.
"""

import secrets
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from threading import Lock
from typing import Any
from urllib.parse import urlencode

import httpx
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from config.targets import SettingFaulty, web_address
from core.errors import Refused
from core.manifest import Manifest, Vouched
from core.provider_proof import ALGORITHMS, LONGEST_TOKEN, claims_of, nonce_of, public_part

KEPT_S = 3600  # discovery and keys
AGAIN_S = 30  # an unknown key id asks for the keys once more, and not more often
LEEWAY_S = 10  # between two clocks
TIMEOUT_S = 5.0
WELL_KNOWN = "/.well-known/openid-configuration"


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ProviderLink:
    """Which provider, as whom, and what its button says."""

    issuer: str
    client_id: str
    client_secret: str
    label: str = "Sign in with the company account"

    def __repr__(self) -> str:
        return f"ProviderLink(issuer={self.issuer!r}, client_id={self.client_id!r})"


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Begun:
    """One sign-in on its way: what only this server knows of it."""

    state: str
    nonce: str
    verifier: str
    redirect: str
    asked_s: float
    fresh: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Proven:
    """Whom the provider vouches for, and when that person was last asked for a secret."""

    issuer: str
    subject: str
    auth_time: int | None
    token: str


class ProviderDown(Refused):
    """The provider does not answer, or not sensibly."""

    def __init__(self, issuer: str) -> None:
        super().__init__(
            f"{issuer}: the sign-in provider does not answer. Try again later, or sign in with"
            " user and secret, where the plant allows it.",
            issuer=issuer,
        )


class NotProven(Refused):
    """What the provider sent back proves nobody."""

    def __init__(self, issuer: str, what: str) -> None:
        super().__init__(
            f"{issuer}: {what}, so nobody is proven. Begin the sign-in again.",
            issuer=issuer,
            what=what,
        )


class Provider:
    """The provider as this server knows it; safe from any thread."""

    def __init__(
        self,
        link: ProviderLink,
        *,
        clock: Callable[[], float] = time.time,
        http: httpx.Client | None = None,
    ) -> None:
        self.link, self._clock = link, clock
        self._http = http or httpx.Client(
            timeout=TIMEOUT_S, follow_redirects=False, trust_env=False
        )
        self._lock = Lock()
        self._found: tuple[float, dict[str, Any]] | None = None
        self._keys: tuple[float, KeySet] | None = None

    def begin(
        self, redirect: str, *, fresh: bool = False, signs: Manifest | None = None
    ) -> tuple[str, Begun]:
        """Return the address to send a browser to, and what to keep until it comes back.

        With `fresh` the provider asks for the person's secret again, whoever is signed in there.
        What somebody `signs` is asked freshly, and its digest is the nonce.

        Raises:
            ProviderDown: it does not answer.
        """
        begun = Begun(
            state=secrets.token_urlsafe(32),
            nonce=secrets.token_urlsafe(32) if signs is None else nonce_of(signs),
            verifier=secrets.token_urlsafe(48), redirect=redirect, asked_s=self._clock(),
            fresh=fresh or signs is not None,
        )  # fmt: skip
        challenge = urlsafe_b64encode(sha256(begun.verifier.encode()).digest()).rstrip(b"=")
        asked = {
            "response_type": "code", "client_id": self.link.client_id, "redirect_uri": redirect,
            "scope": "openid", "state": begun.state, "nonce": begun.nonce,
            "code_challenge": challenge.decode(), "code_challenge_method": "S256",
        }  # fmt: skip
        if begun.fresh:
            asked |= {"prompt": "login", "max_age": "0"}
        address = self._discovered()["authorization_endpoint"]
        return f"{address}{'&' if '?' in address else '?'}{urlencode(asked)}", begun

    def finish(self, code: str, begun: Begun) -> Proven:
        """Return whom a code stands for.

        Raises:
            ProviderDown: the provider does not answer.
            NotProven: the code is used up, or the token does not hold.
        """
        answer = self._ask(
            "POST", self._discovered()["token_endpoint"],
            data={
                "grant_type": "authorization_code", "code": code, "redirect_uri": begun.redirect,
                "code_verifier": begun.verifier,
            },
            auth=httpx.BasicAuth(self.link.client_id, self.link.client_secret),
        )  # fmt: skip
        if answer.status_code != 200:
            raise NotProven(self.link.issuer, "the code was not taken")
        token = _json(answer).get("id_token")
        if not isinstance(token, str):
            raise NotProven(self.link.issuer, "there is no ID token")
        claims = self._verified(token)
        self._check(claims, begun)
        auth_time = claims.get("auth_time")
        return Proven(
            issuer=self.link.issuer,
            subject=str(claims["sub"]),
            auth_time=auth_time if isinstance(auth_time, int) else None,
            token=token,
        )

    def vouched(self, code: str, begun: Begun) -> Vouched:
        """Return the provider's word on what somebody signs, with the key that it is signed by.

        Raises:
            ProviderDown, NotProven: as for `finish`; or the token is too long to be kept.
        """
        proven = self.finish(code, begun)
        if proven.auth_time is None or len(proven.token) > LONGEST_TOKEN:
            raise NotProven(self.link.issuer, "the token cannot be kept as evidence")
        keys = (public_part(key.as_dict(private=False)) for key in self._key_set(again=False))
        key = next(one for one in keys if claims_of(proven.token, one) is not None)
        return Vouched(
            issuer=proven.issuer, subject=proven.subject, auth_time=proven.auth_time,
            token=proven.token, key=key,
        )  # fmt: skip

    def _verified(self, token: str) -> dict[str, Any]:
        """Return the claims of a token that a key of the issuer has signed."""
        for again in (False, True):
            try:  # 3.
                return dict(jwt.decode(token, self._key_set(again=again), ALGORITHMS).claims)
            except (JoseError, ValueError) as fault:
                if again:
                    raise NotProven(self.link.issuer, "the token's signature fails") from fault
        raise AssertionError(token)

    def _check(self, claims: dict[str, Any], begun: Begun) -> None:
        """Refuse a token that is not the answer to this sign-in. (4. and 5.)"""
        now, audience = self._clock(), claims.get("aud")
        audiences = audience if isinstance(audience, list) else [audience]
        mine, several = self.link.client_id, len(audiences) > 1 or "azp" in claims
        subject, asked = claims.get("sub"), _time(claims, "auth_time")
        checks = {
            "the token is another issuer's": claims.get("iss") == self.link.issuer,
            "the token is for another client": mine in audiences,
            "the token was asked by another client": not several or claims.get("azp") == mine,
            "the token has ended": now <= _time(claims, "exp") + LEEWAY_S,
            "the token has not begun": "nbf" not in claims
            or 0 < _time(claims, "nbf") <= now + LEEWAY_S,
            "the token is from no past moment": 0 < _time(claims, "iat") <= now + LEEWAY_S,
            "the token answers another sign-in": _same(claims.get("nonce"), begun.nonce),
            "the token names nobody": isinstance(subject, str) and 0 < len(subject) < 256,
            "the provider did not ask for the secret again": not begun.fresh
            or begun.asked_s - LEEWAY_S <= asked <= now + LEEWAY_S,
        }
        for what, holds in checks.items():
            if not holds:
                raise NotProven(self.link.issuer, what)

    def _discovered(self) -> dict[str, Any]:
        """Return the issuer's discovery document. (1.)"""
        with self._lock:
            if self._found and self._clock() - self._found[0] < KEPT_S:
                return self._found[1]
        document = _json(self._ask("GET", self.link.issuer + WELL_KNOWN))
        if document.get("issuer") != self.link.issuer:
            raise NotProven(self.link.issuer, "its discovery document names another issuer")
        for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
            try:
                web_address(name, str(document.get(name, "")).partition("?")[0])
            except SettingFaulty as fault:
                raise NotProven(self.link.issuer, f"its {name} is no safe address") from fault
        with self._lock:
            self._found = (self._clock(), document)
        return document

    def _key_set(self, *, again: bool) -> KeySet:
        with self._lock:
            kept = self._keys
        age = None if kept is None else self._clock() - kept[0]
        if kept is not None and age is not None and age < (AGAIN_S if again else KEPT_S):
            return kept[1]
        found = _json(self._ask("GET", self._discovered()["jwks_uri"]))
        try:
            keys = KeySet.import_key_set(found)  # type: ignore[arg-type]
        except (JoseError, ValueError, KeyError) as fault:
            raise NotProven(self.link.issuer, "its keys cannot be read") from fault
        with self._lock:
            self._keys = (self._clock(), keys)
        return keys

    def _ask(self, method: str, address: str, **more: Any) -> httpx.Response:
        try:
            answer = self._http.request(method, address, **more)
        except httpx.HTTPError as fault:
            raise ProviderDown(self.link.issuer) from fault
        if answer.status_code >= 500 or (method == "GET" and answer.status_code != 200):
            raise ProviderDown(self.link.issuer)
        return answer

    def close(self) -> None:
        """Let connections go."""
        self._http.close()


def _json(answer: httpx.Response) -> dict[str, Any]:
    try:
        found = answer.json()
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _time(claims: dict[str, Any], name: str) -> float:
    """Return a claim that is a moment, in seconds since 1970; 0 where it is none."""
    value = claims.get(name)
    return float(value) if isinstance(value, int | float) and value is not True else 0.0


def _same(given: object, expected: str) -> bool:
    return isinstance(given, str) and secrets.compare_digest(given.encode(), expected.encode())
