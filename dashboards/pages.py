"""The live pages by path. `{name}` in a path is read with `visit.part("name")`."""

from dashboards.home import home_page
from dashboards.kiosk.page import kiosk_page
from dashboards.review.page import batch_page
from dashboards.review.queue_page import queue_page
from dashboards.security import PageFunction

PAGES: dict[str, PageFunction] = {
    "/": home_page,
    "/kiosk": kiosk_page,
    "/review": queue_page,
    "/review/batch/{batch}": batch_page,
}
