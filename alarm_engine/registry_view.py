"""The registry as the line holds it in memory: who a sender is, and which home stands behind a device.

Takes changes whole or not at all; open incidents keep what they froze at their opening.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from alarm_engine.judgement.alarm_table import Sender
from core.ids import is_reserved
from core.registry.address import address
from core.registry.model import Device, Home
from core.station import ContactFacts, HomeFacts


@dataclass(frozen=True, slots=True)
class Placed:
    """What the registry knows of the sender of one item."""

    sender: Sender
    device: Device | None
    home: Home | None
    other_account: bool = False
    """The device is served by another account than the one that published."""

    @property
    def believed(self) -> bool:
        """Whether good news is believed: clean air and a closed valve count only from the device's own account. A leak always counts."""
        return self.sender in ("placed", "no_home") and not self.other_account


@dataclass(slots=True)
class RegistryView:
    """Homes and devices by id. A change is built on a copy, in pieces, beside the picture in use, and taken over at once."""

    homes: dict[str, Home] = field(default_factory=dict)
    devices: dict[str, Device] = field(default_factory=dict)
    detectors: dict[str, tuple[str, ...]] = field(default_factory=dict)
    version: int = 0
    _by_home: dict[str, dict[str, Device]] = field(default_factory=dict)
    _behind: dict[str, dict[str, None]] = field(default_factory=dict)

    def copy(self) -> "RegistryView":
        """A picture to build a change on; some 30 ms for a city. What stands in a home is shared: only :meth:`apply` looks at it."""
        return RegistryView(dict(self.homes), dict(self.devices), dict(self.detectors), self.version, self._by_home, self._behind)

    def take_over(self, other: "RegistryView") -> None:
        """Use the other picture from now on, whole: no message sees half of an import."""
        self.homes, self.devices, self.detectors, self.version = other.homes, other.devices, other.detectors, other.version
        self._by_home, self._behind = other._by_home, other._behind

    def apply(self, homes: Iterable[Home], devices: Iterable[Device], version: int) -> None:
        """Take changes, an import's or a piece of it. Doing it twice does no harm."""
        self.version = version
        touched: set[str] = set()
        for home in homes:
            self.homes[home.home_id] = home
        for device in devices:
            before = self.devices.get(device.device_id)
            if before is not None and before.home_id is not None:
                self._by_home.get(before.home_id, {}).pop(before.device_id, None)
                touched.add(before.home_id)
            self.devices[device.device_id] = device
            if before is not None and before.account != device.account:
                self._behind.get(before.account, {}).pop(device.device_id, None)
            if device.account != device.device_id:
                self._behind.setdefault(device.account, {})[device.device_id] = None
            if device.home_id is not None:
                self._by_home.setdefault(device.home_id, {})[device.device_id] = device
                touched.add(device.home_id)
        for home_id in touched:
            found = self._by_home.get(home_id, {}).values()
            self.detectors[home_id] = tuple(sorted(d.device_id for d in found if d.kind == "detector" and not d.retired))

    def knows_account(self, account: str) -> bool:
        """Whether this account belongs to a device or hub in service."""
        device = self.devices.get(account)
        return device is not None and not device.retired and not is_reserved(account)

    def place(self, account: str, device_id: str) -> Placed:
        """Who sent an item, as the alarm table asks it."""
        publisher = self.devices.get(account)
        device = self.devices.get(device_id)
        if publisher is None:
            return Placed("unknown_account", device, None)
        if device is None:
            return Placed("unknown_device", None, None)
        if publisher.retired or device.retired:
            return Placed("retired", device, None)
        home = self.homes.get(device.home_id) if device.home_id is not None else None
        if home is None or home.retired:
            return Placed("no_home", device, None, other_account=device.account != account)
        return Placed("placed", device, home, other_account=device.account != account)

    def served_by(self, account: str) -> list[str]:
        """The devices behind a hub."""
        return list(self._behind.get(account, ()))

    def meter_of(self, home: Home) -> Device | None:
        """The home's valve meter in service, or None."""
        if home.meter_id is None:
            return None
        meter = self.devices.get(home.meter_id)
        return None if meter is None or meter.retired else meter

    def facts(self, home: Home) -> HomeFacts:
        """The home frozen as a message or an incident row carries it."""
        return HomeFacts(
            home_id=home.home_id,
            household_no=home.household_no,
            address_zh=address(home, "zh"),
            address_en=address(home, "en"),
            district_code=home.district_code,
            estate=home.estate,
            building=home.building,
            unit=home.unit,
            room=home.room,
            access_note=home.access_note or "",
            meter_location=home.meter_location or "",
            lon=home.lon,
            lat=home.lat,
            coord_datum=home.coord_datum,
            language=home.language,
            flags=home.flags,
            contacts=tuple(ContactFacts(position=c.position, name=c.name, role=c.role, phone=c.phone) for c in home.contacts),
            meter_id=home.meter_id,
            detector_ids=self.detectors.get(home.home_id, ()),
        )
