"""The guide to a new adapter: what it names is there, and its example passes the shared cases."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from zoneinfo import ZoneInfo

import pytest

from erp.adapters import words
from erp.adapters.calling import Basic
from erp.adapters.spoken import SpokenErp
from erp.simulated.__main__ import SIMULATORS
from tests import erp_simulated
from tests import test_erp_conformance as suite
from tests.acme_simulated import Acme
from tests.acme_words import AcmePlant, AcmeWords
from tests.erp_peers import ORDERS, Story
from tests.erp_plant import ROOT
from tests.erp_simulated import USER, SimulatedPeer
from tests.test_erp_simulated import served

pytestmark = pytest.mark.requirement("K5")
ORDERLESS = (suite.test_master_data_comes_whole_once_and_then_as_nothing_new,)
ALONE = (
    suite.test_twins_at_the_same_instant_are_booked_once,
    suite.test_a_key_with_other_bytes_is_refused_as_an_alarm,
    suite.test_unknown_order_item_lot_and_unit_are_refused_by_name,
    suite.test_a_quantity_finer_than_the_erp_keeps_is_refused_before_it_is_sent,
    suite.test_a_reversal_undoes_its_original_once_and_both_stay,
    suite.test_a_document_that_no_message_stands_behind_is_undone_once,
    suite.test_finished_goods_in_parts_sum_to_the_whole,
)
WITH_PEER = (
    suite.test_a_batch_is_booked_with_its_general_ledger,
    suite.test_closed_missing_and_future_periods_are_known_before_and_refused,
    suite.test_a_secret_that_ran_out_pauses_and_books_nothing,
)
ON_THE_WIRE = (
    suite.test_an_answer_lost_after_the_commit_ends_in_the_same_documents,
    suite.test_a_request_that_never_arrived_is_booked_once_by_the_next,
    suite.test_a_request_delivered_twice_is_booked_once,
    suite.test_the_wish_to_wait_is_heard,
)
NUMBERS = iter(ORDERS)
LONGEST = 200


def acme(peer: SimulatedPeer, address: str, secret: str) -> SpokenErp[AcmeWords]:
    plant = AcmePlant(zone=ZoneInfo("UTC"))
    return SpokenErp(AcmeWords(address, login=Basic(USER, secret), plant=plant, timeout_s=10))


@pytest.fixture(scope="module")
def peer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatedPeer]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(SIMULATORS, "acme", Acme)
        patch.setitem(erp_simulated.MAKERS, "acme", acme)
        with served("acme", tmp_path_factory.mktemp("acme")) as found:
            yield found


@pytest.fixture
def port(peer: SimulatedPeer) -> Iterator[SpokenErp[AcmeWords]]:
    made = acme(peer, peer.address, erp_simulated.SECRET)
    yield made
    made.close()


@pytest.mark.parametrize("case", ALONE + ORDERLESS, ids=lambda it: it.__name__)
def test_the_example_passes_the_cases(case: object, port: SpokenErp[AcmeWords]) -> None:
    assert callable(case)
    given = (port,) if case in ORDERLESS else (port, Story(next(NUMBERS)))
    case(*given)


@pytest.mark.parametrize("case", WITH_PEER, ids=lambda it: it.__name__)
def test_the_example_passes_the_cases_with_the_erps_people(
    case: object, peer: SimulatedPeer, port: SpokenErp[AcmeWords]
) -> None:
    assert callable(case)
    case(peer=peer, port=port, started=Story(next(NUMBERS)))


@pytest.mark.parametrize("case", ON_THE_WIRE, ids=lambda it: it.__name__)
def test_the_example_passes_the_cases_of_a_network_that_strikes(
    case: object, peer: SimulatedPeer
) -> None:
    assert callable(case)
    case(peer, Story(next(NUMBERS)))


def test_an_order_that_is_over_takes_nothing_of_the_examples(
    peer: SimulatedPeer, port: SpokenErp[AcmeWords]
) -> None:
    suite.test_an_order_that_is_over_takes_nothing(peer, port, Story(next(NUMBERS)), NUMBERS)


def test_the_example_is_a_whole_adapter_in_fewer_lines_than_the_guide_says() -> None:
    text = (ROOT / "tests" / "acme_words.py").read_text("utf-8")
    assert text.count("\n") < LONGEST
    guide = (ROOT / "dashboards" / "help" / "new-adapter.md").read_text("utf-8")
    assert f"fewer than {LONGEST} lines" in guide


def test_the_guide_names_every_word_that_an_adapter_says() -> None:
    guide = (ROOT / "dashboards" / "help" / "new-adapter.md").read_text("utf-8")
    named = set(re.findall(r"`([a-z_]+)`", guide))
    kinds = (words.Holdings, words.Words, words.Takes, words.Undoes, words.Cancels)
    said = set(itertools.chain.from_iterable(vars(kind) for kind in kinds))
    wanted = {name for name in said if not name.startswith("_")} - {"address"}
    assert wanted - named == set()
