"""The simulated telephones of a story: what happens at them is told, and kept for the report.

Decides whose number rang and how that is said. Refuses to know the exchange's insides and the platform.
"""

from collections.abc import Callable, Collection, Iterable

from simulator.phones.exchange import PhoneExchange
from simulator.phones.lines import PhoneReport
from simulator.world.home import HomePlan
from simulator.world.town import Town

_SAID: dict[str, tuple[str, str]] = {
    "ringing": ("电话振铃", "the phone rings"),
    "answered": ("有人接听", "somebody picks up"),
    "refused": ("电话未接通", "the call is not taken"),
    "hung_up": ("通话结束", "the call is over"),
}
_KEYS: dict[str, tuple[str, str]] = {
    "1": ("按 1：人已撤出", "presses 1: I am out"),
    "2": ("按 2：需要帮助", "presses 2: I need help"),
    "9": ("按 9：不是这家", "presses 9: not my home"),
}

TOLD = ("ringing", "answered", "refused", "pressed", "hung_up")


def number_of(address: str) -> str:
    """The number in ``sip:<number>@sim.invalid``."""
    return address.removeprefix("sip:").partition("@")[0]


Follow = Callable[[PhoneReport, str, int], None]
"""(what happened, home, position of the contact in it): told of every report of a phone that belongs to a home."""


class StoryPhones:
    """Follows the exchange for ``town``. ``reports`` is everything that happened at the phones; where somebody follows instead, he
    keeps what he needs and it stays empty.

    ``told`` are the events that become part of the story: where the platform tells its own beside it, the ringing says enough.
    """

    def __init__(
        self,
        exchange: PhoneExchange,
        town: Town,
        is_leaking: Callable[[str], bool],
        told: Collection[str] = TOLD,
        follow: Follow | None = None,
    ) -> None:
        self.reports: list[PhoneReport] = []
        self._follow = follow
        self._told = told
        self._exchange = exchange
        self._town = town
        self._is_leaking = is_leaking
        self._homes: dict[str, list[tuple[str, int]]] = {}
        self._add(household.home.plan for household in town.households.values())

    def _add(self, plans: Iterable[HomePlan]) -> None:
        for plan in plans:
            for position, address in enumerate(plan.phones, start=1):
                self._homes.setdefault(number_of(address), []).append((plan.home_id, position))

    async def run(self) -> None:
        """Until the phones stop."""
        async for report in self._exchange.events():
            if self._follow is None:
                self.reports.append(report)
            self._tell(report)

    def _tell(self, report: PhoneReport) -> None:
        # A property office or a grid officer is the contact of many homes; the call is about the one that leaks.
        homes = sorted(self._homes.get(report.number, []), key=lambda home: not self._is_leaking(home[0]))
        if homes and self._follow is not None:
            self._follow(report, *homes[0])
        said = _KEYS.get(report.digit) if report.event == "pressed" else _SAID.get(report.event)
        if not homes or said is None or report.event not in self._told:
            return
        home_id, position = homes[0]
        zh, en = said
        self._town.households[home_id].tell(f"第 {position} 联系人：{zh}", f"contact {position}: {en}")
