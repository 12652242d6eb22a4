"""How hard an archive in clinical use may be asked: questions a second, and hours of the day."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, time

from pyrate_limiter import Limiter, Rate

from fonds.errors import ArchiveUnreachable
from fonds.project.settings import Pace


class Throttle:
    """Paces the questions to one archive; `name` and nothing else of it is told in errors."""

    def __init__(self, name: str, pace: Pace, now: Callable[[], datetime] | None = None) -> None:
        self.name, self.hours = name, pace.hours
        self._now = now or (lambda: datetime.now().astimezone())
        # one question an interval: the same number at once each second would be what it is to prevent
        self._limiter = (
            None if pace.per_second is None else Limiter(Rate(1, max(1, round(1000 / pace.per_second))), buffer_ms=0)
        )

    def wait(self) -> None:
        """Return when the next question may be asked; raises ArchiveUnreachable outside the archive's hours.

        A crawl doesn't sleep for half a day: it ends with what it has, and the next one goes on from there.
        """
        if self.hours is not None:
            start, end = (time.fromisoformat(part) for part in self.hours.split("-"))
            clock = self._now().time()
            inside = start <= clock < end if start < end else clock >= start or clock < end
            if not inside:
                raise ArchiveUnreachable(
                    f"source {self.name}: may be asked {self.hours} only; run again from {start:%H:%M} to go on",
                    source=self.name,
                    resume_at=f"{start:%H:%M}",
                )
        if self._limiter is not None:
            self._limiter.try_acquire(self.name)
