"""How fast a stage goes and how long it will take, in one line: for terminals, logs and artifacts alike."""

from __future__ import annotations

import time
from collections.abc import Callable

from fonds.operations.runs import Event

_LEAST_SECONDS = 0.5  # before that, a rate says nothing


class Pace:
    """Listens to one stage's events; a new unit, a new note or a fresh count begins anew."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self.began = 0.0
        self.first: Event | None = None
        self.last: Event | None = None

    def hear(self, event: Event) -> str:
        """What to show beside the count, such as ``1,204 files/s · 88.1 MB/s · 12:40 left · 3 errors``."""
        if self.first is None or self.last is None or self._another(event):
            self.began, self.first = self.clock(), event
        self.last = event
        return " · ".join(self._parts(event, self.first, self.clock() - self.began))

    def _another(self, event: Event) -> bool:
        last = self.last
        return last is None or (event.unit, event.total) != (last.unit, last.total) or event.done < last.done

    @staticmethod
    def _parts(event: Event, first: Event, seconds: float) -> list[str]:
        parts = []
        done = event.done - first.done
        if seconds >= _LEAST_SECONDS and done:
            parts.append(f"{done / seconds:,.0f} {event.unit}/s")
            if event.bytes:
                parts.append(f"{(event.bytes - first.bytes) / seconds / 1e6:,.1f} MB/s")
            if event.total is not None and event.total > event.done:
                minutes, rest = divmod(round((event.total - event.done) * seconds / done), 60)
                hours, minutes = divmod(minutes, 60)
                parts.append(f"{hours}:{minutes:02d}:{rest:02d} left" if hours else f"{minutes}:{rest:02d} left")
        if event.errors:
            parts.append(f"{event.errors:,} unreadable")
        return parts
