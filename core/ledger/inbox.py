"""What waits for the writer: it is woken once for a group, not once for each caller."""

from threading import Lock

FOR_EVER_NS = -1


class Inbox[T]:
    """Items in the order they came, for one thread that takes them in groups."""

    def __init__(self) -> None:
        self._items: list[T] = []
        self._lock = Lock()
        self._bell = Lock()  # locked while nothing is to be heard
        self._bell.acquire()
        self._wanted = 0  # how many items ring; 0 while the taker is awake
        self.is_open = self.was_opened = False

    def open(self) -> None:
        """Begin to accept items."""
        self.is_open = self.was_opened = True

    @property
    def is_empty(self) -> bool:
        return not self._items

    def close(self) -> bool:
        """Accept no more; what is inside can still be taken. Return whether it was open."""
        with self._lock:
            was_open, self.is_open = self.is_open, False
            self._ring()
        return was_open

    def put(self, item: T) -> bool:
        """Add an item; return False, and leave it outside, once the inbox is closed."""
        with self._lock:
            if not self.is_open:
                return False
            self._items.append(item)
            if 0 < self._wanted <= len(self._items):
                self._ring()
        return True

    def _ring(self) -> None:
        if self._wanted:
            self._wanted = 0
            self._bell.release()

    def wait(self, count: int, ns: int = FOR_EVER_NS) -> None:
        """Return when so many items are inside, when it is closed, or when the time is over."""
        with self._lock:
            if len(self._items) >= count or not self.is_open:
                return
            self._wanted = count
        if self._bell.acquire(timeout=-1 if ns < 0 else ns / 1_000_000_000):
            return
        with self._lock:
            if self._wanted:
                self._wanted = 0
            else:  # it rang between the end of the wait and here
                self._bell.acquire()

    def take(self, limit: int) -> tuple[list[T], bool]:
        """Return up to `limit` items, and whether more can come."""
        with self._lock:
            found, self._items = self._items[:limit], self._items[limit:]
            return found, self.is_open or bool(self._items)
