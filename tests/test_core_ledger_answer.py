"""The answer that a caller waits for: given once, heard by everyone who asks."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from core.ledger.answer import Answer


def test_everyone_who_asks_hears_the_answer_before_and_after_it_is_given() -> None:
    answer, asked = Answer[int](), threading.Barrier(9)

    def ask() -> int:
        asked.wait(20)
        return answer.result(20)

    with ThreadPoolExecutor(8) as pool:
        waiting = [pool.submit(ask) for _ in range(8)]
        asked.wait(20)
        assert not answer.done()
        answer.set_result(7)
        assert [one.result(20) for one in waiting] == [7] * 8
    assert answer.done()
    assert (answer.result(0), answer.exception(0)) == (7, None)


def test_what_was_raised_is_raised_at_everyone_who_asks() -> None:
    answer = Answer[int]()
    answer.set_exception(ValueError("refused"))
    for _ in range(2):
        with pytest.raises(ValueError, match="refused"):
            answer.result(0)
    assert str(answer.exception(0)) == "refused"


def test_an_answer_that_does_not_come_in_time_can_be_asked_for_again() -> None:
    answer = Answer[int]()
    for _ in range(2):
        with pytest.raises(TimeoutError):
            answer.result(0.01)
    answer.set_result(7)
    assert answer.result(0) == 7


def test_an_answer_is_given_once() -> None:
    answer = Answer[int]()
    answer.set_result(7)
    with pytest.raises(AssertionError, match="given once"):
        answer.set_exception(ValueError("late"))
    assert answer.result(0) == 7
