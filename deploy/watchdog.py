"""Ends what lives but stands still, so that the supervisor starts it again: a station that is dead starts anew, one that hangs would not.

Decides how long a station may be silent. A station that answers "not well" is at work and is left alone; silence is counted in questions
put, not in time passed, so that a machine that slept does not make everybody late.
"""

import threading
from collections.abc import Callable, Sequence
from typing import Final

from deploy.embedded.account import Say, silence
from deploy.station import Station

ASKED: Final = 8
"""Questions in a row without an answer until a station is ended: 16 s where nobody listens, 20 s where a loop
stands, 40 s where nothing is said at all."""

ASKED_AT_START: Final = 45
"""The same for a life that has not answered yet: 90 s for a start on a busy machine."""

_PAUSE_S: Final = 2.0
# The console asks the others first, a second at most, before it says how it is.
_TIMEOUT_S: Final = 3.0


class Watchdog:
    """Asks each station that has a health endpoint, from a thread of its own."""

    def __init__(self, say: Say = silence) -> None:
        self._say = say
        self._silent: dict[str, tuple[int, int]] = {}
        """Station -> the life (pid) that is silent, questions that it left unanswered."""
        self._began: dict[str, int] = {}
        """Station -> the life that has answered."""
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, stations: Callable[[], Sequence[Station]]) -> None:
        """Look after these, who have just said that they are well, from now on; who they are is asked anew at each round."""
        if self._thread is not None:
            return
        self._began = {station.name: station.pid for station in stations() if station.pid is not None}

        def go_round() -> None:
            while not self._over.wait(_PAUSE_S):
                for station in stations():
                    self.look(station)

        self._thread = threading.Thread(target=go_round, name="watchdog", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Look after nobody any more."""
        self._over.set()
        if self._thread is not None:
            self._thread.join()

    def look(self, station: Station, timeout_s: float = _TIMEOUT_S) -> None:
        """Put one question; after too many without an answer in one life, end that life."""
        pid = station.pid
        if pid is None:
            return
        if station.answers(timeout_s):
            self._began[station.name] = pid
            self._silent.pop(station.name, None)
            return
        silent, count = self._silent.get(station.name, (pid, 0))
        count = count + 1 if silent == pid else 1
        self._silent[station.name] = (pid, count)
        if count == (ASKED if self._began.get(station.name) == pid else ASKED_AT_START):
            self._say(f"{station.name} 没有反应，将其结束后重启", f"{station.name} gives no sign of life; it is ended and started again")
            station.kill()
