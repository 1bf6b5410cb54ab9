"""What the match with the ERP lets pass, as a plant pack gives it."""

from config.faults import Count, Positive, Record


class MatchItem(Record, frozen=True, kw_only=True):
    """What the match with the ERP lets pass, in the unit of each line, and for how long.

    Without it, quantities are equal or they differ.
    """

    quantity: Positive | None = None
    in_flight_h: Count = 1
    late_h: Count = 24
    source: str
