"""How the makers' services are reached and logged in to; this part is theirs, and published.

IFS Cloud: projections at `main/ifsapplications/projection/v1/NAME.svc`, tokens of its IAM by client
credentials. Infor LN: models behind the API Gateway, tokens by the password grant with the service
account of a `.ionapi` file, company and identity as headers. Unverified: the folder of LN's models.
"""

import json
from dataclasses import dataclass, field

from erp.adapters.oauth import Token

IFS_PROJECTIONS = "main/ifsapplications/projection/v1"
LN_MODELS = "LN/lnapi/odata"


@dataclass(frozen=True, slots=True)
class IonApi:
    """What of a `.ionapi` file is needed; the file itself is kept in the vault."""

    token_at: str
    form: dict[str, str] = field(repr=False)


def ifs_service(projection: str) -> str:
    """Return the path of a projection.

    >>> ifs_service("BatchwrightPosting")
    'main/ifsapplications/projection/v1/BatchwrightPosting.svc'
    """
    return f"{IFS_PROJECTIONS}/{projection}.svc"


def ln_service(model: str) -> str:
    """Return the path of a model.

    >>> ln_service("mes.posting")
    'LN/lnapi/odata/mes.posting'
    """
    return f"{LN_MODELS}/{model}"


def ln_headers(company: str, identity: str | None) -> dict[str, str]:
    """Return the headers that say for which company, and as which API identity."""
    found = {"x-infor-lncompany": company}
    return found | ({"x-infor-lnidentity": identity} if identity else {})


def ion_api(text: str) -> IonApi:
    """Return what a `.ionapi` file says.

    Raises:
        ValueError: it lacks a part; what it holds is not repeated.
    """
    try:
        given = json.loads(text)
        parts = {name: str(given[name]) for name in ("pu", "ot", "ci", "cs")}
        user, secret = str(given["saak"]), str(given["sask"])
    except (ValueError, KeyError, TypeError) as fault:
        raise ValueError(f"no .ionapi file: {type(fault).__name__}") from None
    form = {
        "grant_type": "password",
        "username": user,
        "password": secret,
        "client_id": parts["ci"],
        "client_secret": parts["cs"],
    }
    return IonApi(f"{parts['pu']}{parts['ot']}", form)


def ln_login(api: IonApi, *, timeout_s: float) -> Token:
    """Return the service account's login."""
    return Token(api.token_at, lambda: api.form, timeout_s=timeout_s)
