"""QuickBooks Desktop from a plant's setting."""

from zoneinfo import ZoneInfo

from config.adapters.quickbooks import QuickBooksSetting
from erp.adapters.given import Given
from erp.adapters.quickbooks.adapter import QuickBooksErp
from erp.adapters.quickbooks.mapping import UNITS, QbPlant
from erp.adapters.quickbooks.queue import Queue
from erp.adapters.quickbooks.service import PATH, Conversation, introduction


def plant(setting: QuickBooksSetting, zone: ZoneInfo) -> QbPlant:
    """Return how the customer keeps the company file."""
    return QbPlant(
        zone=zone, units=UNITS.renamed(setting.units), orders=setting.orders, poll_s=setting.poll_s
    )


def connect(setting: QuickBooksSetting, company: QbPlant, given: Given) -> QuickBooksErp:
    """Return its adapter, with the door that the Web Connector comes to."""
    given.data.mkdir(parents=True, exist_ok=True)
    queue = Queue(f"sqlite:///{given.data / 'erp_quickbooks.db'}")
    secret = given.secret(setting.secrets.connector)
    talk = Conversation(queue, company, user=setting.user, secret=secret)
    return QuickBooksErp(queue, company, address=given.address, talk=talk)


def web_connector_file(setting: QuickBooksSetting, address: str) -> str:
    """Return the file that a person opens in the Web Connector; it holds no secret."""
    return introduction(
        public_url=f"{address.rstrip('/')}{PATH}",
        user=setting.user,
        owner_id=setting.owner_id,
        file_id=setting.file_id,
        poll_s=setting.poll_s,
    )
