"""Who we are to NetSuite: OAuth 2.0 client credentials with a signed assertion.

The claims and algorithms are those of NetSuite's help, "The Request Token Structure": PS256 or
ES256 and longer, `kid` is the certificate's id, `exp` less than 60 minutes after `iat`.
"""

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, Key, RSAKey

from core.clock import now
from erp.adapters.given import SecretUnfit
from erp.adapters.oauth import Token

TOKEN_PATH = "services/rest/auth/oauth2/v1/token"  # noqa: S105 - a path
SCOPE = "rest_webservices"
ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
LASTS_S = 300
ALGORITHMS = {"RSA": "PS256", "EC": "ES256"}


def key_of(name: str, pem: str) -> Key:
    """Return the private key in a secret.

    Raises:
        SecretUnfit: it is no private key as PEM, RSA or P-256.
    """
    for kind in (RSAKey, ECKey):
        try:
            found = kind.import_key(pem)
        except (ValueError, TypeError, JoseError):
            continue
        if found.is_private:
            return found
    raise SecretUnfit(name, "is no private key as PEM")


def signed_login(
    address: str, *, client_id: str, certificate: str, key: Key, timeout_s: float
) -> Token:
    """Return the login; a fresh assertion is signed for each token."""
    url = f"{address.rstrip('/')}/{TOKEN_PATH}"
    algorithm = ALGORITHMS[key.key_type]

    def grant() -> dict[str, str]:
        at = int(now().timestamp())
        header = {"typ": "JWT", "alg": algorithm, "kid": certificate}
        claims = {"iss": client_id, "scope": SCOPE, "aud": url, "iat": at, "exp": at + LASTS_S}
        return {
            "grant_type": "client_credentials",
            "client_assertion_type": ASSERTION,
            "client_assertion": jwt.encode(header, claims, key, algorithms=[algorithm]),
        }

    return Token(url, grant, timeout_s=timeout_s)
