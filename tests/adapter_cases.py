"""The table of the manual: which cases of the conformance suite hold for which peer, and how."""

from __future__ import annotations

CASES = {
    "test_a_batch_is_booked_with_its_general_ledger": "A batch is booked and read back",
    "test_an_answer_lost_after_the_commit_ends_in_the_same_documents": "Answer lost after commit",
    "test_a_request_that_never_arrived_is_booked_once_by_the_next": "Request lost",
    "test_a_request_delivered_twice_is_booked_once": "Request delivered twice by the network",
    "test_twins_at_the_same_instant_are_booked_once": "Six twins at one instant",
    "test_a_key_with_other_bytes_is_refused_as_an_alarm": "A key with other bytes",
    "test_unknown_order_item_lot_and_unit_are_refused_by_name": "Unknown order, item, lot, unit",
    "test_a_quantity_finer_than_the_erp_keeps_is_refused_before_it_is_sent": "Quantity too fine",
    "test_closed_missing_and_future_periods_are_known_before_and_refused": "Closed, missing period",
    "test_an_order_that_is_over_takes_nothing": "Order that is over",
    "test_a_reversal_undoes_its_original_once_and_both_stay": "Reversal, once",
    "test_a_document_that_no_message_stands_behind_is_undone_once": "Document of its own, undone",
    "test_finished_goods_in_parts_sum_to_the_whole": "Finished goods in parts",
    "test_the_wish_to_wait_is_heard": "Told to wait",
    "test_a_secret_that_ran_out_pauses_and_books_nothing": "Secret ran out",
    "test_master_data_comes_whole_once_and_then_as_nothing_new": "Master data, and nothing new",
    "test_a_crash_of_the_erp_between_two_facts_loses_and_doubles_nothing": "ERP crashes in between",
}
PEERS = {
    "sandbox": "Sandbox",
    "tryton": "Tryton",
    "sap-plain": "SAP",
    "sap": "SAP, repeatability",
    "business-central": "Business Central",
    "quickbooks": "QuickBooks Desktop",
    "sage-x3": "Sage X3",
    "dynamics": "Dynamics 365 SCM",
    "oracle": "Oracle Fusion",
    "ifs-cloud": "IFS Cloud",
    "infor-ln": "Infor LN",
    "netsuite": "NetSuite, as a job",
    "netsuite-at-once": "NetSuite, at once",
}
BOOKED = "test_a_batch_is_booked_with_its_general_ledger"
TWICE = "test_a_request_delivered_twice_is_booked_once"
PERIODS = "test_closed_missing_and_future_periods_are_known_before_and_refused"
NAMES = "test_unknown_order_item_lot_and_unit_are_refused_by_name"
REVERSAL = "test_a_reversal_undoes_its_original_once_and_both_stay"
UNDONE = "test_a_document_that_no_message_stands_behind_is_undone_once"
PARTS = "test_finished_goods_in_parts_sum_to_the_whole"
WAIT = "test_the_wish_to_wait_is_heard"
MASTERS = "test_master_data_comes_whole_once_and_then_as_nothing_new"
# peer -> case -> the letter of the note that says how it differs; one line per peer
DIFFERS = {
    "sap-plain": {BOOKED: "a", TWICE: "b", PERIODS: "c", MASTERS: "d"},
    "sap": {BOOKED: "a", PERIODS: "c", MASTERS: "d"},
    "business-central": {BOOKED: "e", PERIODS: "f", MASTERS: "d"},
    "quickbooks": {
        BOOKED: "g",
        NAMES: "h",
        PERIODS: "c",
        REVERSAL: "i",
        UNDONE: "k",
        PARTS: "i",
        WAIT: "j",
        MASTERS: "d",
    },
    "sage-x3": {BOOKED: "e", PERIODS: "f", MASTERS: "d"},
    "dynamics": {BOOKED: "w", TWICE: "x", PERIODS: "y", UNDONE: "k", MASTERS: "d"},
    "oracle": {BOOKED: "z", TWICE: "x", PERIODS: "c", UNDONE: "k", MASTERS: "d"},
    "ifs-cloud": {BOOKED: "e", PERIODS: "f", MASTERS: "d"},
    "infor-ln": {BOOKED: "e", PERIODS: "f", MASTERS: "d"},
    "netsuite": {BOOKED: "u", MASTERS: "d"},
    "netsuite-at-once": {BOOKED: "u", TWICE: "v", MASTERS: "d"},
}


def rows() -> list[str]:
    """Return the lines of the manual: the cases with their numbers, then a line per peer."""
    found = [f"{n}. {title}" for n, title in enumerate(CASES.values(), 1)]
    found.append(f"| | {' | '.join(str(n + 1) for n in range(len(CASES)))} |")
    found.append("|---" * (len(CASES) + 1) + "|")
    for peer, title in PEERS.items():
        notes = DIFFERS.get(peer, {})
        marks = [f"({notes[case]})" if case in notes else "yes" for case in CASES]
        found.append(f"| {title} | {' | '.join(marks)} |")
    return found
