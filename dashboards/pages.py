"""The live pages by path. `{name}` in a path is read with `visit.part("name")`."""

from dashboards.audit.page import audit_page
from dashboards.books.page import book_page, books_page
from dashboards.finance.page import reconcile_page
from dashboards.home import home_page
from dashboards.kiosk.page import kiosk_page
from dashboards.office.page import office_page
from dashboards.operations.deviation_page import deviations_page
from dashboards.operations.page import oee_page
from dashboards.review.page import batch_page
from dashboards.review.queue_page import queue_page
from dashboards.security import PageFunction

PAGES: dict[str, PageFunction] = {
    "/": home_page,
    "/kiosk": kiosk_page,
    "/oee": oee_page,
    "/deviations": deviations_page,
    "/books": books_page,
    "/books/{book}": book_page,
    "/reconcile": reconcile_page,
    "/office": office_page,
    "/audit": audit_page,
    "/review": queue_page,
    "/review/batch/{batch}": batch_page,
}
