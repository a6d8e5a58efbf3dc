"""A hub (concentrator): the one account through which the devices of many homes speak and are spoken to.

Decides what is said of the hub and its devices when it connects and when it is lost, and what waits at the broker meanwhile. Refuses
to know what its devices say; the radios are theirs, and are off the air while the hub is.
"""

from collections.abc import Callable, Iterable

from core.clock import Clock
from core.topics import up
from simulator.world.household import FIRMWARE, Household
from simulator.world.plan import DevicePlace
from simulator.world.transmitter import Send, Transmitter

_REPORT_INTERVAL_S = 60


class Hub:
    """One hub and the households behind it. ``boot`` must be higher than at any earlier start."""

    def __init__(self, account: str, boot: int, clock: Clock, send: Send) -> None:
        self.account = account
        self.online = True
        self.households: list[Household] = []
        self._send = send
        self._radio = Transmitter(DevicePlace(account, account), boot, clock, send)
        self._waiting: list[Callable[[], None]] = []

    def _radios(self) -> Iterable[tuple[Household, str]]:
        for household in self.households:
            for device_id, place in household.places.items():
                if place.hub == self.account:
                    yield household, device_id

    def introduce(self) -> None:
        """Publish the retained status of the hub and of every device behind it, as one array."""
        items = [self._radio.about(True, model="SIM-HUB", firmware=FIRMWARE, report_interval_s=_REPORT_INTERVAL_S)]
        items += [item for household in self.households for item in household.introduced_by(self.account)]
        payload = b"[" + b",".join(item.model_dump_json(exclude_none=True).encode() for item in items) + b"]"
        self._send(up(self.account, "status"), payload, 1, True)

    def lose_connection(self) -> None:
        """The broker publishes its last will; nothing of its devices is heard, and what is said to them waits."""
        self.online = False
        self._radio.status(False)
        for household, device_id in self._radios():
            household.radios[device_id].on_air = False

    def come_back(self) -> None:
        """Connected again: what the broker kept is heard, alarms that were kept are sent."""
        self.online = True
        self.introduce()
        for household, device_id in self._radios():
            household.back_on_air(device_id)
        waiting, self._waiting = self._waiting, []
        for what in waiting:
            what()

    def hear(self, what: Callable[[], None], *, kept: bool) -> None:
        """Something was said to one of its devices; ``kept``: the broker holds it while the hub is away."""
        if self.online:
            what()
        elif kept:
            self._waiting.append(what)
