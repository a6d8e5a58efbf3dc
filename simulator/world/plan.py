"""What a simulated home is before anything happens in it: what the registry says of it, and how it is made. Decides nothing."""

import random
from dataclasses import dataclass, replace

from simulator.physics import detector as laser
from simulator.physics import meter as gas_meter


@dataclass(frozen=True, slots=True)
class DevicePlace:
    """A device of the registry: its id and the account that serves it."""

    device_id: str
    account: str

    @property
    def hub(self) -> str | None:
        """The hub that serves it, if it does not speak for itself."""
        return self.account if self.account != self.device_id else None


@dataclass(frozen=True, slots=True)
class HomePlan:
    """What the registry says of a home. ``phones`` are its contacts' addresses in their order; ``building`` names estate and building."""

    home_id: str
    detectors: tuple[DevicePlace, ...]
    meter: DevicePlace | None
    set_point_lel: float = 10.0
    address_zh: str = ""
    address_en: str = ""
    phones: tuple[str, ...] = ()
    building: str = ""

    @property
    def places(self) -> tuple[DevicePlace, ...]:
        """All its devices, the detectors first."""
        return (*self.detectors, *((self.meter,) if self.meter is not None else ()))


@dataclass(frozen=True, slots=True)
class Traits:
    """What the registry does not say: the room, how the devices are made, and how they report.

    ``before_meter``: what leaks leaks before the meter. ``alarm_message`` False: the detector never uses the alarm topic, its gas shows
    in telemetry alone; ``both_lanes``: reading and alarm leave in the same moment. ``own_set_point_lel``: where the detector itself
    alarms, if that is not the set-point of the registry. ``wake_s``: seconds from the detector's alarm until its radio has sent it.
    ``demand_m3h``: what burns whatever the hour (None: as people live). ``meter_telemetry_s``: the meter's own interval; ``psm``: it
    hears commands only after an uplink. ``credit_cny``: prepaid, so many yuan are left.
    """

    room_m3: float = 16.0
    ventilation_ach: float = 0.5
    before_meter: bool = False
    linkage: bool = True
    register_step_m3: float = 0.01
    travel_s: float = 3.0
    stuck_tries: int = 0
    leak_by_m3h: float = 0.0
    leak_by_tries: int | None = None
    demand_m3h: float | None = None
    noise_lel: float = 0.03
    noise_limit_lel: float = 0.1
    alarm_message: bool = True
    both_lanes: bool = False
    own_set_point_lel: float | None = None
    wake_s: float = 4.5
    telemetry_s: float = 60.0
    meter_telemetry_s: float | None = None
    psm: bool = False
    credit_cny: float | None = None

    @property
    def meter_interval_s(self) -> float:
        """Seconds between two reports of the meter."""
        return self.telemetry_s if self.meter_telemetry_s is None else self.meter_telemetry_s

    def detector_make(self, plan: HomePlan) -> laser.DetectorMake:
        """The detectors of such a home."""
        set_point_lel = self.own_set_point_lel or plan.set_point_lel
        return laser.DetectorMake(
            set_point_lel=set_point_lel,
            warning_lel=set_point_lel / 2,
            hysteresis_lel=set_point_lel / 10,
            noise_lel=self.noise_lel,
            noise_limit_lel=self.noise_limit_lel,
        )

    def meter_make(self) -> gas_meter.MeterMake:
        """The meter of such a home."""
        return gas_meter.MeterMake(
            register_step_m3=self.register_step_m3,
            travel_s=self.travel_s,
            linkage_delay_s=0.5 if self.linkage else None,
            stuck_tries=self.stuck_tries,
            leak_by_m3h=self.leak_by_m3h,
            leak_by_tries=self.leak_by_tries,
        )


def varied(seed: int, home_id: str, traits: Traits) -> Traits:
    """``traits`` with the room and the radio of this one home: no two homes are alike."""
    dice = random.Random(f"{seed}/{home_id}/traits")
    return replace(traits, room_m3=round(dice.uniform(12.0, 22.0), 1), wake_s=round(traits.wake_s + dice.uniform(0.0, 1.0), 2))
