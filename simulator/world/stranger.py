"""An account that no registry knows, and the detectors that it speaks for: a device fitted before its papers, or a wrong one.

Decides what it says and that it goes on saying it. Whatever the platform tells it is kept: nothing but promises is right.
"""

from core.clock import Clock
from core.messages import Command, DownAck
from simulator.world.plan import DevicePlace
from simulator.world.transmitter import Send, Transmitter

_LEL = 17.0


class Stranger:
    """One unknown account with ``devices`` detectors behind it; a single one is the account itself."""

    def __init__(self, account: str, devices: int, boot: int, clock: Clock, send: Send) -> None:
        ids = [account] if devices == 1 else [f"{account}-{number}" for number in range(1, devices + 1)]
        self.account = account
        self.radios = {device_id: Transmitter(DevicePlace(device_id, account), boot, clock, send) for device_id in ids}
        self.commands: list[Command] = []
        self.promised = 0
        self.repeats = 0

    def leak(self) -> None:
        """Each of its devices reports a leak."""
        for radio in self.radios.values():
            radio.alarm("leak", ch4_lel=_LEL)

    def keep_up(self) -> None:
        """Repeat what nobody promised to keep."""
        self.repeats += sum(radio.repeat_due() for radio in self.radios.values())

    def hear(self, message: Command | DownAck) -> None:
        """A message of the platform."""
        if isinstance(message, Command):
            self.commands.append(message)
        elif message.device_id in self.radios:
            self.promised += self.radios[message.device_id].acknowledged(message)
