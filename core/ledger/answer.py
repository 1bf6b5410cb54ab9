"""What one caller waits for: a single lock, let go once.

A `concurrent.futures.Future` makes three locks and a queue of listeners for each; half of what a
group spends on its callers went there.
"""

from threading import Lock


class Answer[T]:
    """A value, or what was raised in its place, for whoever asks; any thread may ask."""

    __slots__ = ("_bell", "_fault", "_is_given", "_value")
    _value: T

    def __init__(self) -> None:
        self._bell = Lock()  # locked until the answer is there
        self._bell.acquire()
        self._fault: BaseException | None = None
        self._is_given = False

    def done(self) -> bool:
        """Return whether the answer is there."""
        return self._is_given

    def exception(self, seconds: float) -> BaseException | None:
        """Wait for the answer; return what was raised, None where there is a value.

        Raises:
            TimeoutError: there is no answer yet.
        """
        if not self._is_given:
            if not self._bell.acquire(timeout=seconds):
                raise TimeoutError
            self._bell.release()  # for the next one who asks
        return self._fault

    def result(self, seconds: float) -> T:
        """Wait for the answer; return its value, or raise what was raised.

        Raises:
            TimeoutError: there is no answer yet.
        """
        fault = self.exception(seconds)
        if fault is not None:
            raise fault
        return self._value

    def set_result(self, value: T) -> None:
        """Give the value; an answer is given once."""
        assert not self._is_given, "an answer is given once"
        self._value = value
        self._is_given = True
        self._bell.release()

    def set_exception(self, fault: BaseException) -> None:
        """Give what was raised; an answer is given once."""
        assert not self._is_given, "an answer is given once"
        self._fault = fault
        self._is_given = True
        self._bell.release()
