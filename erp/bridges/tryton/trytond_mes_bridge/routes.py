# SPDX-License-Identifier: GPL-3.0-or-later
"""The addresses of the contract, below `/<database>/mes/`.

The caller has a key for REST whose user is in the group *Manufacturing execution*; a message needs
its signature as well. Tryton's own access checks are switched off only behind both.
"""

import hashlib
import json
import re
from datetime import UTC, date, datetime

from trytond import config
from trytond.exceptions import UserError, UserWarning
from trytond.model.exceptions import SQLConstraintError
from trytond.pool import Pool
from trytond.protocols.wrappers import (
    HTTPStatus,
    Response,
    abort,
    set_max_request_size,
    user_application,
    with_pool,
    with_transaction,
)
from trytond.transaction import Transaction, without_check_access
from trytond.wsgi import app

from . import ledger, reading
from .wire import LARGEST, Refusal, parsed, secret_keys, signed, verified

GROUP = "group_mes"
PAGES = {
    "items": reading.items,
    "boms": reading.boms,
    "orders": reading.orders,
    "customers": reading.customers,
}
known = user_application("rest", json=False)


def _answer(content, *, status=200, headers=None, kind="application/json"):
    body = content if isinstance(content, bytes) else _canonical(content)
    return Response(body, status, headers or {}, content_type=kind)


def _canonical(content):
    return json.dumps(content, sort_keys=True, separators=(",", ":")).encode()


def _problem(refusal):
    content = {"status": refusal.status, "code": refusal.code, "detail": refusal.detail}
    return _answer(content, status=refusal.status, kind="application/problem+json")


def _company():
    """Return the caller's company; who is not in the bridge's group gets nothing."""
    pool = Pool()
    User, ModelData = pool.get("res.user"), pool.get("ir.model.data")
    user = User(Transaction().user)
    group = ModelData.get_id("mes_bridge", GROUP)
    with without_check_access():
        if group not in [one.id for one in user.groups] or user.company is None:
            abort(HTTPStatus.FORBIDDEN)
        return user.company.id


def _conditional(request, content):
    """Return a page with its validator, or 304 where the caller has it."""
    body = _canonical(content)
    etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers = {"ETag": etag, "Cache-Control": "private, no-cache", "Vary": "Authorization"}
    given = {tag.strip() for tag in request.headers.get("if-none-match", "").split(",")}
    if etag in given or "*" in given:
        return Response(b"", 304, headers)
    return _answer(body, headers=headers)


def _read(function):
    @with_pool
    @with_transaction(readonly=True)
    @known
    def wrapper(request, pool, **args):
        with Transaction().set_context(company=_company()), without_check_access():
            return function(request, **args)

    return wrapper


@_read
def _page(request, name):
    if name not in PAGES:
        abort(HTTPStatus.NOT_FOUND)
    return _conditional(request, {name: PAGES[name]()})


@_read
def _order(request, number):
    found = Pool().get("production").search([("number", "=", number), reading.ours()])
    if not found:
        abort(HTTPStatus.NOT_FOUND)
    return _conditional(request, reading.order(found[0]))


@_read
def _stock(request):
    try:
        on = date.fromisoformat(request.args["on"]) if "on" in request.args else None
    except ValueError:
        abort(HTTPStatus.BAD_REQUEST)
    return _answer(ledger.stock(on))


@_read
def _ledger(request):
    after = request.args.get("after", "0")
    if not after.isdigit():
        abort(HTTPStatus.BAD_REQUEST)
    lines, more = ledger.ledger(int(after), request.args.get("order"))
    last = lines[-1]["seq"] if lines else int(after)
    return _answer({"lines": lines, "next": last, "more": more})


@_read
def _postings(request, erp_ref):
    found = reading.documents(erp_ref)
    if found is None:
        abort(HTTPStatus.NOT_FOUND)
    return _answer(found)


@_read
def _period(request, month):
    if not re.fullmatch(r"[0-9]{4}-(0[1-9]|1[0-2])", month):
        abort(HTTPStatus.BAD_REQUEST)
    return _answer({"period": month, "state": reading.period(month)})


@_read
def _time(request):
    return _answer({"now": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")})


@_read
def _health(request):
    return _answer({"status": "up"})


@with_pool
@with_transaction(readonly=False)
@known
def _take(request, pool, name, body):
    """Book one message in a transaction of its own; a refusal leaves nothing."""
    with Transaction().set_context(company=_company()), without_check_access():
        try:
            return pool.get("mes.posting").take(parsed(body, name), body)
        except SQLConstraintError as fault:
            # A twin under the same key is being booked, or has just been: the next try finds it.
            raise Refusal("in_flight", "This key is being worked on.", 409) from fault
        except (UserError, UserWarning) as fault:
            raise Refusal("erp_rule", fault.message) from fault


@set_max_request_size(LARGEST)
def _events(request, database_name):
    """Take a message: signature, then the books, then the signed receipt."""
    body = request.get_data()
    try:
        keys = secret_keys(config.get("mes_bridge", "event_secrets", default=""))
        name = verified(request.headers, body, keys)
        answer = _take(request, database_name, name, body)
        if isinstance(answer, Response):
            return answer
    except Refusal as refusal:
        return _problem(refusal)
    receipt = _canonical(answer)
    [key, *_] = secret_keys(config.get("mes_bridge", "receipt_secret", default=""))
    return _answer(receipt, headers=signed(name, receipt, key))


def _add(path, function, method="GET"):
    app.route(f"/<database_name>/mes/{path}", methods=[method])(function)


_add("events", _events, "POST")
_add("ledger", _ledger)
_add("stock", _stock)
_add("time", _time)
_add("health", _health)
_add("orders/<number>", _order)
_add("postings/<erp_ref>", _postings)
_add("periods/<month>", _period)
_add("<name>", _page)
