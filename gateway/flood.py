"""Who floods the alarm topic, and what is still done for him: his first leak of each device, always and at once.

Decides, for each alarm item of an account, whether it is judged or only counted. An account floods when it sends more than
``flood_items_per_s`` alarm items a second for each device that it serves; it has stopped when it kept below that for ten seconds.
Refuses to delay anything: what it lets through is judged by the engine in the same turn. Bounded in memory, whatever is made up.
"""

from dataclasses import dataclass, field
from typing import Final

from alarm_engine import metrics
from alarm_engine.judgement.leak import leak_grounds
from alarm_engine.record import outbox_row
from alarm_engine.rows import Rows
from alarm_engine.state import LineState
from core.ids import incident_id, message_id
from core.items import AlarmItem
from core.registry.model import LOWEST_SET_POINT_LEL, Home
from core.station import TaskMessage
from gateway.decode import may_say_leak

_HOUR_MS: Final = 3_600_000
_QUIET_S: Final = 10.0
_AGAIN_S: Final = 10.0
"""A leak that lasts is let through again after this long: a valve that was opened meanwhile must close again."""
_MOST_ACCOUNTS: Final = 10_000
_MOST_DEVICES: Final = 10_000


@dataclass(slots=True)
class _Account:
    """One account's allowance. ``full`` is how many items it may send in a second; ``left`` what is left of it at ``at``.

    ``version`` is that of the registry by which the devices that it serves were counted; -1: not yet.
    """

    full: float
    left: float
    at: float
    version: int = -1
    flooding_until: float = float("-inf")
    reported_hour: int = -1
    acted: dict[str, float] = field(default_factory=dict)


class Flood:
    """Counts alarm items by account and tells which of them are judged. Times are monotonic seconds of the platform's clock."""

    def __init__(self, state: LineState) -> None:
        self._state = state
        self._accounts: dict[str, _Account] = {}
        self._unreported: list[tuple[str, float, int]] = []

    def counts(self, account: str, received_ms: int) -> bool:
        """Count one alarm item of ``account``; returns whether the account is flooding. Who floods is told by :meth:`report`."""
        now = self._state.clock.monotonic()
        known = self._account(account, now)
        known.left = min(known.full, known.left + (now - known.at) * known.full)
        known.at = now
        if known.left < 1 and known.version != self._state.registry.version:
            # Only now is it worth looking at the registry.
            before, known.full = known.full, self._state.settings.flood_items_per_s * self._serves(account)
            known.version = self._state.registry.version
            known.left = max(0.0, known.left + known.full - before)
        known.left -= 1
        if known.left < 0:
            known.left = 0.0
            known.flooding_until = now + _QUIET_S
            if known.reported_hour != received_ms // _HOUR_MS:
                known.reported_hour = received_ms // _HOUR_MS
                self._unreported.append((account, known.full, received_ms))
        return now < known.flooding_until

    def report(self) -> None:
        """Tell a person of the floods that were found, once an hour each. For when the message is judged: no leak waits for it."""
        while self._unreported:
            self._report(*self._unreported.pop())

    def may_be_first_leak(self, account: str, raw: object, device_id: str) -> bool:
        """Whether a part of a flooding account's payload must be read: it may be a leak of a device that had none acted on yet.

        Cheap, and generous: what it lets through is read and asked for again in :meth:`is_first_leak`.
        """
        if not isinstance(raw, dict) or self._acted_lately(account, device_id):
            return False
        return may_say_leak(raw) or self._may_be_over(raw.get("ch4_lel"))

    def is_first_leak(self, item: AlarmItem, set_point_lel: float) -> bool:
        """Whether an item of a flooding account is a leak to be acted on; it is then remembered as its device's first."""
        if leak_grounds(item, set_point_lel) is None or self._acted_lately(item.account, item.device_id):
            return False
        now = self._state.clock.monotonic()
        acted = self._account(item.account, now).acted
        if len(acted) >= _MOST_DEVICES:
            for device_id in [each for each, at in acted.items() if now - at >= _AGAIN_S]:
                del acted[device_id]
        acted[self._key(item.device_id)] = now
        return True

    @property
    def remembered(self) -> int:
        """Accounts and devices held in memory."""
        return len(self._accounts) + sum(len(each.acted) for each in self._accounts.values())

    def _acted_lately(self, account: str, device_id: str) -> bool:
        now = self._state.clock.monotonic()
        at = self._account(account, now).acted.get(self._key(device_id))
        return at is not None and now - at < _AGAIN_S

    def _may_be_over(self, value: object) -> bool:
        """Whether a raw value may be methane over a home's set-point; a number in quotes is a number."""
        if isinstance(value, str):
            return len(value) < 32
        exercise = self._state.settings.exercise_set_point_lel
        lowest = LOWEST_SET_POINT_LEL if exercise is None else min(exercise, LOWEST_SET_POINT_LEL)
        return isinstance(value, int | float) and value >= lowest

    def _key(self, device_id: str) -> str:
        """Devices that nobody knows are one: they end in one triage incident of their account, and their names cost nothing to make up."""
        return device_id if device_id in self._state.registry.devices else ""

    def _account(self, account: str, now: float) -> _Account:
        known = self._accounts.get(account)
        if known is None:
            if len(self._accounts) >= _MOST_ACCOUNTS:
                self._forget(now)
            full = self._state.settings.flood_items_per_s
            known = self._accounts[account] = _Account(full, full, now)
        return known

    def _forget(self, now: float) -> None:
        """Let go of accounts that have been quiet for long enough to have their whole allowance; else of the one heard first."""
        quiet = [account for account, known in self._accounts.items() if now - known.at > _QUIET_S]
        for account in quiet or [next(iter(self._accounts))]:
            del self._accounts[account]

    def _serves(self, account: str) -> int:
        """How many devices in service an account serves, 1 at least. Only a hub serves more than itself."""
        registry = self._state.registry
        publisher = registry.devices.get(account)
        if publisher is None or publisher.kind != "hub":
            return 1
        served = (registry.devices.get(each) for each in registry.served_by(account))
        return max(1, sum(each is not None and not each.retired and each.kind != "hub" for each in served))

    def _home(self, account: str) -> Home | None:
        """A home that the account serves."""
        registry = self._state.registry
        device = registry.devices.get(account)
        if device is not None and device.kind == "hub":
            served = (registry.devices.get(each) for each in registry.served_by(account))
            device = next((each for each in served if each is not None and each.home_id is not None), None)
        return None if device is None or device.home_id is None else registry.homes.get(device.home_id)

    def _report(self, account: str, items_per_s: float, received_ms: int) -> None:
        metrics.floods.inc()
        hour = received_ms // _HOUR_MS
        key = incident_id("flooding", account, 0, hour, hour * _HOUR_MS)
        home = self._home(account)
        message = TaskMessage(
            message_id=message_id(key, "task"),
            incident_id=key,
            at_ms=received_ms,
            kind="account_flooding",
            home_id=None if home is None else home.home_id,
            simulated=home is not None and home.simulated,
            detail={"account": account, "items_per_s": items_per_s},
        )
        self._state.down.station(message)
        self._state.keeper.put(Rows(outbox=[outbox_row(message)]))
