"""What a plant lets pass between it and the ERP: tolerances of the match, age of master data."""

from config.faults import Count, Positive, Record


class MasterDataItem(Record, frozen=True, kw_only=True):
    """How old the ERP's items, BOMs and orders may be before no new order is released on them."""

    max_age_h: Count = 24
    source: str


class MatchItem(Record, frozen=True, kw_only=True):
    """What the match with the ERP lets pass, in the unit of each line, and for how long.

    Without it, quantities are equal or they differ.
    """

    quantity: Positive | None = None
    in_flight_h: Count = 1
    late_h: Count = 24
    source: str
