"""A strict NetSuite: signed assertion, records by internal id, jobs with keys, periods, lots.

It refuses unknown properties, wrong types, unknown ids, closed periods, closed work orders, lots
that do not sum up and stock that is not there. It does not refuse a second record with the same
external id: we know of no published word that it does, so nothing may rest on it. Without a
posting period the earliest open one is taken, as NetSuite was seen to do.
"""

import json
import re
import secrets
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import RSAKey
from starlette.responses import JSONResponse, Response

from core.clock import now
from erp.simulated.netsuite_books import TYPES, UNITS, NetSuiteBooks, error, refuse
from erp.simulated.records import Work
from erp.simulated.serving import Asked, Refusal, json_of
from erp.simulated.suiteql import WrongQuery, run
from erp.simulated.tokens import FORM

CERTIFICATE = "certificate-of-the-plant"
REST = "/services/rest/"
RECORDS = "record/v1/"
JOBS = "async/v1/job/"
KEY = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
CLAIMS = {"iss", "scope", "aud", "iat", "exp"}


class Assertions:
    """Tokens for assertions that a certificate's key has signed."""

    def __init__(self, client_id: str, public_key: str) -> None:
        self._client_id = client_id
        self._key = RSAKey.import_key(public_key)
        self._given: set[str] = set()

    def holds(self, asked: Asked) -> bool:
        """Return whether a request carries a token that was given out."""
        return asked.bearer() in self._given

    def forget(self) -> None:
        """End every token: whoever comes with one has to ask anew."""
        self._given.clear()

    def gives(self, asked: Asked) -> Response | None:
        """Return a token or why there is none; None where none is asked for."""
        if asked.path != f"{REST}auth/oauth2/v1/token":
            return None
        form = dict(parse_qsl(asked.body.decode("utf-8", "replace")))
        if asked.method != "POST" or asked.headers.get("content-type") != FORM:
            return JSONResponse({"error": "invalid_request"}, status_code=400)
        wanted = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
        if form.get("grant_type") != "client_credentials":
            return JSONResponse({"error": "unsupported_grant_type"}, status_code=400)
        if form.get("client_assertion_type") != wanted or not self._proves(
            form.get("client_assertion", "")
        ):
            return JSONResponse({"error": "invalid_grant"}, status_code=400)
        token = secrets.token_urlsafe(24)
        self._given.add(token)
        return JSONResponse({"access_token": token, "expires_in": "3600", "token_type": "bearer"})

    def _proves(self, assertion: str) -> bool:
        """Return whether an assertion is signed by the mapped certificate, in time, for us."""
        try:
            found = jwt.decode(assertion, self._key, algorithms=["PS256"])
        except (JoseError, ValueError):
            return False
        claims, at = found.claims, now().timestamp()
        return (
            found.header.get("kid") == CERTIFICATE
            and found.header.get("typ") == "JWT"
            and set(claims) == CLAIMS
            and claims["iss"] == self._client_id
            and claims["scope"] == "rest_webservices"
            and urlsplit(claims["aud"]).path == f"{REST}auth/oauth2/v1/token"
            and claims["iat"] - 60 <= at < claims["exp"] < claims["iat"] + 3600
        )


class NetSuite:
    """One account; `public_key` belongs to the certificate that is mapped to the integration."""

    def __init__(self, client_id: str, public_key: str) -> None:
        self.gate = Assertions(client_id, public_key)
        self._books = NetSuiteBooks()

    def seed(self, work: Work, data: dict[str, Any]) -> None:
        """Fill an empty one from items, BOMs, orders, customers and lots."""
        self._books.seed(work, data)

    def change_order(self, work: Work, order: str, state: str) -> None:
        """Set a work order's status as its keeper would."""
        self._books.change_order(work, order, state)

    # requests

    def door(self, status: int) -> Response:
        """Return the no of the door itself."""
        if status == 429:
            return error(429, "REQUEST_LIMIT_EXCEEDED", "Concurrent request limit exceeded.")
        return error(401, "INVALID_LOGIN", "Invalid login attempt.")

    def answer(self, work: Work, asked: Asked) -> Response:
        """Return the answer to one request."""
        path = asked.path.removeprefix(REST)
        self._run_jobs(work, path)
        if asked.method == "GET" and path == "record/v1/metadata-catalog":
            return JSONResponse({"items": [{"name": name} for name in TYPES]})
        if asked.method == "POST" and path == "query/v1/suiteql":
            return self._query(work, asked)
        if asked.method == "GET" and path.startswith(JOBS):
            return self._job(work, path.removeprefix(JOBS))
        if asked.method == "POST" and path.removeprefix(RECORDS) in TYPES:
            return self._create(work, asked, path.removeprefix(RECORDS))
        return error(404, "NONEXISTENT_ID", f"{asked.method} {path}: is not there.")

    def _query(self, work: Work, asked: Asked) -> Response:
        if asked.headers.get("prefer") != "transient":
            raise refuse("The header Prefer: transient is missing.", "INVALID_HEADER")
        given = asked.json()
        if set(given) != {"q"} or set(asked.query) - {"limit", "offset"}:
            raise refuse("Only q, limit and offset are known.", "INVALID_PARAMETER")
        self._books.note_closed(work)
        try:
            rows = run(work, given["q"], UNITS)
        except WrongQuery as fault:
            raise refuse(str(fault)) from None
        limit, offset = int(asked.query.get("limit", 1000)), int(asked.query.get("offset", 0))
        page: list[dict[str, Any]] = [{"links": [], **row} for row in rows[offset : offset + limit]]
        more = offset + limit < len(rows)
        return JSONResponse({"links": [], "count": len(page), "hasMore": more, "items": page,
                             "offset": offset, "totalResults": len(rows)})  # fmt: skip

    # records and jobs

    def _create(self, work: Work, asked: Asked, kind: str) -> Response:
        record = json_of(asked, lambda _, words: refuse(words, "INVALID_CONTENT"))
        if asked.headers.get("prefer") != "respond-async":
            made = self._books.book(work, kind, record)
            return Response(status_code=204, headers={"location": f"{REST}{RECORDS}{kind}/{made}"})
        key = asked.headers.get("x-netsuite-idempotency-key")
        if key is not None and not KEY.fullmatch(key):
            raise refuse("The idempotency key is no UUID.", "INVALID_HEADER")
        before = work.get("job_key", key) if key else None
        headers = {"preference-applied": "respond-async"}
        if before is not None:
            words = "A request with the same idempotency key is already submitted."
            answer = error(400, "IDEMPOTENCY_ERROR", words)
            answer.headers.update({**headers, "location": f"{REST}{JOBS}{before['id']}"})
            return answer
        job = str(work.number("job"))
        work.put("job", job, {"id": job, "kind": kind, "body": asked.body.decode(), "asked": False,
                              "progress": "pending"})  # fmt: skip
        if key:
            work.put("job_key", key, {"id": job})
        headers["location"] = f"{REST}{JOBS}{job}"
        return Response(status_code=202, headers=headers)

    def _run_jobs(self, work: Work, path: str) -> None:
        """Carry out what is queued; the first question after a job still finds it pending."""
        for job in work.all("job"):
            if job["progress"] != "pending":
                continue
            if path == f"{JOBS}{job['id']}" and not job["asked"]:
                work.put("job", job["id"], {**job, "asked": True})
                continue
            record = json.loads(job["body"], parse_float=Decimal)
            try:
                with work.part():
                    made = self._books.book(work, job["kind"], record)
            except Refusal as refusal:
                body = bytes(refusal.response.body).decode()
                work.put("job", job["id"], {**job, "progress": "failed", "result": body})
            else:
                work.put("job", job["id"], {**job, "progress": "succeeded", "made": made})

    def _job(self, work: Work, path: str) -> Response:
        number, _, rest = path.partition("/")
        job = work.get("job", number)
        if job is None:
            return error(404, "INVALID_JOBID", f"Job {number} is not there.")
        state = {"completed": job["progress"] != "pending", "id": number, "links": [],
                 "progress": job["progress"]}  # fmt: skip
        if not rest:
            return JSONResponse(state)
        if rest == "task":
            return JSONResponse({"items": [{"id": "1", "links": []}], "links": []})
        if rest == "task/1":
            return JSONResponse({**state, "id": "1"})
        if rest == "task/1/result" and job["progress"] == "failed":
            return Response(job["result"], status_code=400, media_type="application/json")
        if rest == "task/1/result" and job["progress"] == "succeeded":
            place = f"{REST}{RECORDS}{job['kind']}/{job['made']}"
            return Response(status_code=204, headers={"location": place})
        return error(404, "NONEXISTENT_ID", f"{path}: is not there.")
