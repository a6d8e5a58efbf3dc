"""Mains power of a home, as its detectors show it: a last gasp, then battery or darkness, and a new start when it returns.

Decides what each detector says and when it is missed. Refuses to know why the power failed. A meter has its own battery and notices
nothing.
"""

from collections.abc import Callable

from simulator.world.household import After, Household

MISSED_AFTER_S = 90.0
"""A connection with a keep-alive of 60 s is given up by the broker after one and a half of it, and the last will published."""


def lose(household: Household, after: After, *, battery: bool) -> None:
    """The mains fail. Each detector says so with its last charge; without a ``battery`` it is dark then."""
    if not household.mains:
        return
    household.mains = False
    household.battery = battery
    for device_id in household.home.detectors:
        household.radios[device_id].alarm("power_lost")
        if battery:
            household.report_detector(device_id)
            continue
        household.home.unplug(device_id)
        household.radios[device_id].on_air = False
        if household.places[device_id].hub is None:
            after(MISSED_AFTER_S, _will(household, device_id, household.power_cuts))
    household.power_cuts += 1


def _will(household: Household, device_id: str, cut: int) -> Callable[[], None]:
    """The broker's word for a device that has gone, if that cut still lasts."""

    def publish() -> None:
        if not household.mains and household.power_cuts == cut + 1:
            household.radios[device_id].status(False)

    return publish


def regain(household: Household) -> None:
    """The mains return. A detector that was dark starts anew: next boot, and it has to warm up."""
    if household.mains:
        return
    household.mains = True
    for device_id in household.home.detectors:
        radio = household.radios[device_id]
        if not household.battery:
            household.home.plug_in(device_id)
            radio.reboot()
            radio.on_air = True
            household.introduce_device(device_id)
        radio.alarm("power_restored")
        household.back_on_air(device_id)
