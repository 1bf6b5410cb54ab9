"""A simulated Web Connector: it polls the address that it was given, for the company beside it.

It calls in the real one's order, and hands a request to QuickBooks and the answer back. When the
other side is away it comes again at the next poll; what QuickBooks did stays done.
"""

import logging
import threading
import time
from xml.etree import ElementTree as ET

import httpx
from qbwc_kit.soap import build_request, localname

from erp.simulated.quickbooks import PARSE_ERROR, QuickBooks, Unreadable
from erp.simulated.records import Records
from erp.trust import trusted

POLL_S = 0.05
COMPANY = r"C:\QuickBooks\Plant.QBW"
CLIENT_VERSION = "2.3.0.36"
log = logging.getLogger("batchwright.simulated")


class WebConnector:
    """One poll after another until the process ends."""

    def __init__(self, records: Records, company: QuickBooks) -> None:
        self._records = records
        self._company = company
        self._client = httpx.Client(timeout=10, verify=trusted(), trust_env=False)

    def start(self) -> None:
        """Poll in a thread of its own."""
        threading.Thread(target=self._run, name="web-connector", daemon=True).start()

    def _run(self) -> None:
        while True:
            with self._records.work() as work:
                target = work.get("connector", "target")
            if target and target.get("url"):
                try:
                    self._poll(target["url"], target["secret"])
                except (httpx.HTTPError, ET.ParseError, IndexError) as fault:
                    log.info("event=poll-broken why=%s", type(fault).__name__)
            time.sleep(POLL_S)

    def _poll(self, url: str, secret: str) -> None:
        if self._call(url, "clientVersion", strVersion=CLIENT_VERSION)[0].startswith("E:"):
            return
        user, _ = self._company.login
        ticket, state = self._call(url, "authenticate", strUserName=user, strPassword=secret)
        if state in ("nvu", "none"):
            return
        while True:
            [request] = self._call(
                url, "sendRequestXML", ticket=ticket, strHCPResponse="", strCompanyFileName=COMPANY,
                qbXMLCountry="US", qbXMLMajorVers="13", qbXMLMinorVers="0",
            )  # fmt: skip
            if not request:
                break
            done = self._process(request)
            [percent] = self._call(url, "receiveResponseXML", ticket=ticket, **done)
            if int(percent) < 0 or int(percent) >= 100:
                break
        self._call(url, "closeConnection", ticket=ticket)

    def _process(self, request: str) -> dict[str, str]:
        with self._records.work() as work:
            work.log("qbXML", "", query="", headers="", body=request)
        try:
            with self._records.work() as work:
                answer = self._company.process(work, request)
        except Unreadable as fault:
            return {"response": "", "hresult": PARSE_ERROR, "message": str(fault)}
        return {"response": answer, "hresult": "", "message": ""}

    def _call(self, url: str, method: str, **given: str) -> list[str]:
        """Return the result of one SOAP call: its text, or its texts."""
        answer = self._client.post(
            url,
            content=build_request(method, list(given.items())).encode(),
            headers={"content-type": "text/xml; charset=utf-8"},
        ).raise_for_status()
        root = ET.fromstring(answer.content)  # noqa: S314 - our own service's answer
        result = root[0][0][0]
        texts = [it.text or "" for it in result if localname(it.tag) == "string"]
        return texts or [result.text or ""]
