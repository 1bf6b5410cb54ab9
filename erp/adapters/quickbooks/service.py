"""The door for the Web Connector: its eight SOAP calls, and the file that introduces us to it."""

import logging
import secrets
import threading
from collections.abc import Callable
from datetime import datetime, timedelta

from fastapi import APIRouter
from qbwc_kit import QBWCService, Session, Task
from qbwc_kit.wsdl import build_qwc, build_wsdl
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from core.clock import now
from core.people import FAILURES_UNTIL_LOCK
from erp.adapters.quickbooks.mapping import QbPlant
from erp.adapters.quickbooks.queue import Queue, Tries
from erp.adapters.quickbooks.tasks import BuildTask, MirrorTask
from erp.connected import Alert

log = logging.getLogger("batchwright.erp-door")
PATH = "/erp/qbwc"
XML = "text/xml; charset=utf-8"  # what the Web Connector sends and expects
MAX_BODY = 1024 * 1024
DOOR = "quickbooks"
SHUT_S, LONGEST_SHUT_S = 60, 3600
LEASE_S = 600  # longer than one poll of a plant's day; a build whose poll broke off waits as long


def shut_for(failures: int) -> timedelta:
    """Return how long the door is shut after so many refused tries in a row.

    >>> [shut_for(n).seconds for n in (4, 5, 6, 7, 99)]
    [0, 60, 120, 240, 3600]
    """
    beyond = failures - FAILURES_UNTIL_LOCK
    if beyond < 0:
        return timedelta()
    return timedelta(seconds=min(SHUT_S * 2 ** min(beyond, 12), LONGEST_SHUT_S))


class Conversation:
    """Who may ask, and what there is to do for them.

    After five refused tries in a row the door is shut, for longer with each further one: until then
    no try is looked at, and the right secret is refused as well. It opens by itself, so that nobody
    can keep the Web Connector out for good by guessing.
    """

    def __init__(
        self,
        queue: Queue,
        plant: QbPlant,
        *,
        user: str,
        secret: str,
        lease_s: float = LEASE_S,
        clock: Callable[[], datetime] = now,
    ) -> None:
        self._queue = queue
        self._plant = plant
        self._login = (user.encode(), secret.encode())
        self._lease = timedelta(seconds=lease_s)
        self._clock = clock
        self._alert: Alert | None = None
        self._trying = threading.Lock()

    def on_locked(self, alert: Alert) -> None:
        """Call `alert` whenever the door is shut."""
        self._alert = alert

    def authenticate(self, username: str, password: str) -> bool:
        """Return whether it is the Web Connector we know; counted as its visit."""
        with self._trying:  # twins at one instant are two tries
            at, tries = self._clock(), self._queue.tries()
            if tries.shut_until is not None and at < tries.shut_until:
                return False
            user, secret = self._login
            known = secrets.compare_digest(username.encode(), user)
            known &= secrets.compare_digest(password.encode(), secret)
            if known:
                if tries.failures:
                    self._queue.note_try(Tries())
                self._queue.touch(at)
                return True
            failures = tries.failures + 1
            shut = shut_for(failures)
            until = at + shut if shut else None
            self._queue.note_try(Tries(failures, until))
        if until is not None:
            log.warning("event=erp-door-shut door=%s failures=%s", DOOR, failures)
            if self._alert is not None:
                self._alert(DOOR, failures, until)
        return False

    def tasks_for(self, _username: str) -> list[Task]:
        """Return this poll's work: every build that waits, and the masters where they are old."""
        at = self._clock()
        claimed = self._queue.claim(at=at, until=at + self._lease)
        tasks: list[Task] = [BuildTask(one, self._queue, self._plant) for one in claimed]
        read = self._queue.seen_at("BuildAssembly")  # the last kind of a whole read
        if claimed or read is None or read + timedelta(seconds=self._plant.poll_s) <= at:
            today = at.astimezone(self._plant.zone).date()
            tasks.append(MirrorTask(self._queue, self._plant, today=today, clock=self._clock))
        return tasks

    def ended(self, session: Session) -> None:
        """Note what went wrong at a visit; a build whose answer is lost is looked for later."""
        if session.errors:
            self._queue.touch(self._clock(), session.last_error())


def soap_door(conversation: Conversation, *, public_url: str) -> APIRouter:
    """Return the door at `PATH`; `public_url` is its address as the Web Connector reaches it."""
    service = QBWCService(authenticator=conversation, on_session_end=conversation.ended)
    wsdl = build_wsdl(public_url)
    door = APIRouter(include_in_schema=False)

    @door.get(PATH)
    def contract() -> Response:
        return Response(wsdl, media_type=XML)

    @door.post(PATH)
    async def answer(request: Request) -> Response:
        if int(request.headers.get("content-length", 0)) > MAX_BODY:
            return Response("too long", status_code=413)
        body = await request.body()
        if len(body) > MAX_BODY:
            return Response("too long", status_code=413)
        return Response(await run_in_threadpool(service.dispatch, body), media_type=XML)

    return door


def introduction(*, public_url: str, user: str, owner_id: str, file_id: str, poll_s: int) -> str:
    """Return the .qwc file that a person opens in the Web Connector; it holds no secret."""
    text: str = build_qwc(
        app_name="Batchwright",
        app_id="",
        app_url=public_url,
        app_description="Builds of released batches, read back.",
        username=user,
        owner_id=owner_id,
        file_id=file_id,
        run_every_n_seconds=poll_s,
    )
    return text
