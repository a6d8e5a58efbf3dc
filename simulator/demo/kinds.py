"""The ways in which a home of the district leaks: how it is made, how its people treat the phone, how soon the crew is there.

Data and no decision: the rhythm of the district draws from ``COMMON`` and ``KINDS``, the demonstration names one of ``DEMO_KINDS``.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal, get_args

from simulator.phones.behaviour import Manner
from simulator.technicians import Tempo
from simulator.world.plan import Traits

DemoKind = Literal["plain", "stuck_valve", "before_meter", "nobody_answers"]

NEVER_BY_MOTOR: Final = 1_000
"""So many closes stall on the way: more than anybody will send. A hand gets there."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A way to leak. ``phones`` is how the contacts behave, in their order; those beyond the last one behave as the last one.

    ``demand_m3h`` None: people burn as they do at this hour. ``drive_s`` is how long the crew's drive is shown: long enough for what
    the platform can see from afar to be seen before somebody is there.
    """

    name: str
    linkage: bool = True
    alarm_message: bool = True
    own_set_point_lel: float | None = None
    wake_s: float = 4.5
    stuck_tries: int = 0
    before_meter: bool = False
    demand_m3h: float | None = None
    phones: tuple[Manner, ...] = ("presses_1", "presses_1")
    needs_phone: bool = False
    drive_s: float = Tempo().drive_s

    def traits(self, usual: Traits, wake_s: float) -> Traits:
        """A home that is usually made so, made for this leak; ``wake_s`` is its own share of the radio's time."""
        return replace(
            usual,
            linkage=self.linkage,
            alarm_message=self.alarm_message,
            own_set_point_lel=self.own_set_point_lel,
            wake_s=wake_s,
            stuck_tries=self.stuck_tries,
            before_meter=self.before_meter,
            demand_m3h=self.demand_m3h,
        )

    def manner(self, position: int) -> Manner:
        """How the contact at this position (1 is rung first) treats the phone."""
        return self.phones[min(position, len(self.phones)) - 1]


COMMON: Final = Kind("common")
KINDS: Final[tuple[Kind, ...]] = (
    COMMON,
    Kind("no local linkage", linkage=False, wake_s=1.5),
    Kind("hangs up early", phones=("hangs_up_early", "presses_1")),
    Kind("second contact", phones=("busy", "presses_1")),
    Kind("telemetry only", linkage=False, alarm_message=False, own_set_point_lel=25.0, wake_s=3.0),
    Kind("needs help", phones=("presses_2", "presses_1")),
    Kind("no answer", phones=("never_answers", "voicemail")),
)
"""What happens in the district by itself."""

DEMO_KINDS: Final[Mapping[DemoKind, Kind]] = {
    # Without the local linkage it is the platform's own command that is seen to close the valve.
    "plain": Kind("plain", linkage=False, wake_s=1.5),
    "stuck_valve": Kind("stuck valve", linkage=False, wake_s=1.5, stuck_tries=NEVER_BY_MOTOR, drive_s=45.0),
    "before_meter": Kind("before the meter", before_meter=True, demand_m3h=0.0, drive_s=130.0),
    "nobody_answers": Kind("nobody answers", phones=("never_answers", "voicemail"), needs_phone=True, drive_s=100.0),
}

CROWD: Final = Kind("building", linkage=False, wake_s=1.5, phones=("confirms_at_once",))
"""A home among many: its phone is picked up and a key pressed without sound, so that a hundred calls fit on one machine."""

assert set(DEMO_KINDS) == set(get_args(DemoKind))  # noqa: S101  a kind without a row would only be found by whoever chooses it
