"""The technicians of the simulated crews: they work their orders through the API, as people with a phone in their hand do.

Decides what a technician does next from the order's state, how long that takes in the world, and in how many seconds it is shown
here. Refuses to know how the platform works an order: it asks, and asks again when it is refused. The leak, the air and the key
at the meter are the town's. A crew that a person plays is left to him; his hands in the room are lent to him (``simulator.demo.hands``).
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Container, Mapping
from dataclasses import dataclass
from uuid import UUID

import structlog

from core.clock import Clock
from core.errors import GasSentinelError
from simulator.demo.hands import LOOK_S, SAFE_LEL, Hands, Room
from simulator.narration import compressed
from simulator.platform import Entity, PlatformApi, PlatformLostError, Refusal
from simulator.world.town import Town

_log = structlog.get_logger()

POLL_S = 0.5
_POLL_SHARE = 4.0
"""A look at all open orders may take a fifth of the time: with a thousand of them it takes longer, and comes less often."""
_PATIENCE = 40
_VISITS = frozenset({"inspection", "triage"})
_UNTESTED = frozenset({"on_site", "made_safe", "cause_recorded"})
"""He is on site, and no test has passed."""
_RETRY_S = 3.0
_KEY_AFTER_S = 2.0

CAUSES: tuple[tuple[str, str, str], ...] = (
    ("hose", "灶具连接软管老化开裂", "the cooker's hose was brittle and cracked"),
    ("cooker_without_flameout_cutoff", "灶具无熄火保护，汤水浇灭", "the cooker has no flame-out cut-off and boiled over"),
    ("joint", "表后接头松动", "a joint behind the meter was loose"),
    ("hidden_pipe", "暗埋支管锈蚀", "a hidden pipe had rusted through"),
)
BEFORE_THE_METER = ("joint", "表前接头松动", "the joint before the meter was loose")


@dataclass(frozen=True, slots=True)
class Tempo:
    """How long the work is shown, in clock seconds; what it stands for is drawn for each order and said."""

    accept_s: float = 2.0
    drive_s: float = 12.0
    air_s: float = 6.0
    search_s: float = 8.0
    test_s: float = 6.0
    burners_s: float = 5.0
    papers_s: float = 3.0


@dataclass(frozen=True, slots=True)
class _Work:
    """What the stretches of one order stand for, in seconds of the world."""

    reaction_s: float
    drive_s: float
    search_s: float
    test_min: float
    burners_s: float
    cause: tuple[str, str, str]
    test_kpa: float


class _LeftToPersonError(GasSentinelError):
    """A person plays this crew now: its step is his."""


class Technicians:
    """All simulated crews. :meth:`run` until cancelled. They work orders of homes in ``town`` only."""

    def __init__(
        self,
        api: PlatformApi,
        town: Town,
        *,
        seed: int,
        clock: Clock,
        tempo: Tempo | Callable[[str], Tempo] | None = None,
        taken: Container[str] = frozenset(),
    ) -> None:
        """``tempo`` for all homes, or what to ask for the tempo of each. ``taken``: the crews that people play just now."""
        self._api = api
        self._town = town
        self._seed = seed
        self._clock = clock
        same = Tempo() if tempo is None or callable(tempo) else tempo
        self._tempo_of: Callable[[str], Tempo] = tempo if callable(tempo) else lambda _: same
        self._taken = taken
        self._crews: dict[str, str] = {}
        self._at_work: dict[str, asyncio.Task[None]] = {}
        self._to_ask: dict[str, asyncio.Future[str]] = {}
        self.finished: set[str] = set()
        self.given_up: dict[str, Refusal] = {}

    async def run(self) -> None:
        """Look for orders of the simulated crews and work each one; ends all work when cancelled."""
        try:
            while True:
                began_s = self._clock.monotonic()
                try:
                    await self._look()
                except PlatformLostError as error:
                    _log.warning("platform lost", reason=str(error))
                await self._clock.sleep(max(POLL_S, _POLL_SHARE * (self._clock.monotonic() - began_s)))
        finally:
            for task in self._at_work.values():
                task.cancel()
            await asyncio.gather(*self._at_work.values(), return_exceptions=True)

    async def _look(self) -> None:
        if not self._crews:
            async for crew in self._api.every("crews"):
                if crew["simulated"] and crew["technicians"]:
                    self._crews[crew["crew_id"]] = crew["technicians"][0]["technician_id"]
        async for order in self._api.every("orders", open=True):
            self._take(order)

    def _take(self, order: Entity) -> None:
        order_no, crew_id, home_id = order["order_no"], order["crew_id"], order["home_id"]
        working = self._at_work.get(order_no)
        if working is not None and not working.done():
            return
        if crew_id not in self._crews or home_id not in self._town.households or order_no in self.given_up:
            return
        self._town.households[home_id].incident_id = UUID(order["incident_id"])
        self._at_work[order_no] = asyncio.create_task(self._work_on(order_no, home_id), name=f"order {order_no}")

    async def _work_on(self, order_no: str, home_id: str) -> None:
        try:
            await self._work(order_no, home_id)
        except _LeftToPersonError:
            self._tell(home_id, f"{order_no}：由演示者处置，模拟抢修队等候", f"{order_no}: played by a person; the simulated crew waits")
        except GasSentinelError as error:
            # The order is taken up again where it stands at the next look.
            _log.warning("work interrupted", order_no=order_no, reason=str(error))

    async def _work(self, order_no: str, home_id: str) -> None:
        """Do what the order's state asks for next, until it is archived, taken away, or refused too often."""
        dice = random.Random(f"{self._seed}/{home_id}/technician")
        tempo = self._tempo_of(home_id)
        work = _Work(
            reaction_s=dice.uniform(15, 50),
            drive_s=max(dice.uniform(9, 26) * 60, tempo.drive_s),
            search_s=dice.uniform(12, 35) * 60,
            test_min=float(dice.choice((5, 10, 15))),
            burners_s=dice.uniform(6, 14) * 60,
            cause=dice.choice(CAUSES),
            test_kpa=round(dice.uniform(2.5, 4.5), 2),
        )
        steps = self._steps(home_id, work, tempo)
        visit = {**steps, "on_site": self._inspection(home_id, work, tempo), "cause_recorded": steps["restored"]}
        hands = Hands(self._town, self._clock, home_id, air_s=tempo.air_s)
        refused = 0
        while refused < _PATIENCE:
            try:
                order = await self._api.get(f"orders/{order_no}")
            except PlatformLostError:
                await self._clock.sleep(_RETRY_S)
                continue
            step = (visit if order["kind"] in _VISITS else steps).get(order["state"])
            if order["state"] == "archived":
                self.finished.add(order_no)
                return
            if step is None or order["crew_id"] not in self._crews:
                return
            if order["crew_id"] in self._taken:
                if order["kind"] not in _VISITS:
                    hands.follow(order)
                await self._clock.sleep(LOOK_S)
                continue
            technician = order["technician_id"] or self._crews[order["crew_id"]]
            if home_id in self._to_ask and order["state"] in _UNTESTED:
                await self._ask_untested(order, home_id, technician)
            answer = await step(order, technician)
            if isinstance(answer, Refusal):
                refused += 1
                _log.info("refused", order_no=order_no, state=order["state"], reason=answer.reason)
                if refused == _PATIENCE:
                    self.given_up[order_no] = answer
                    self._tell(home_id, f"{order_no}：平台拒绝：{answer.zh}", f"{order_no}: the platform refuses: {answer.en}")
                await self._clock.sleep(_RETRY_S)

    def _steps(self, home_id: str, work: _Work, tempo: Tempo) -> "Mapping[str, Callable[[Entity, str], Awaitable[Entity | Refusal]]]":
        """The order's state -> what its technician does in it."""
        town = self._town

        async def accept(order: Entity, who: str) -> Entity | Refusal:
            zh, en = await self._shown(order, work.reaction_s, tempo.accept_s)
            self._tell(home_id, f"{who} 接单 {order['order_no']}（{zh}）", f"{who} accepts order {order['order_no']} ({en})")
            return await self._request(order, "accept", who)

        async def drive(order: Entity, who: str) -> Entity | Refusal:
            zh, en = compressed(work.drive_s, tempo.drive_s)
            self._tell(home_id, f"抢修队出发：路程 {zh}", f"the crew drives {en}")
            await self._pass(order, min(tempo.drive_s, work.drive_s))
            await self._report_position(order)
            self._tell(home_id, "抢修队到场", "the crew is on site")
            return await self._request(order, "on-site", who)

        async def make_safe(order: Entity, who: str) -> Entity | Refusal:
            # One that stalled half-way says that it is closing; a hand is what it waits for.
            if town.close_by_hand(home_id) or town.households[home_id].home.valve == "closing":
                self._tell(home_id, "阀门仍未关：抢修人员手动关阀", "the valve is still open: the technician closes it by hand")
            if town.reading_lel(home_id) > SAFE_LEL:
                zh, en = compressed(town.air(home_id, shown_s=tempo.air_s), tempo.air_s)
                self._tell(home_id, f"开窗通风 {zh}", f"windows and doors open: the room clears in {en}")
            await self._until_clear(home_id)
            reading = round(town.reading_lel(home_id), 1)
            self._tell(home_id, f"手持仪读数 {reading:.1f} %LEL：已控制", f"the instrument reads {reading:.1f} %LEL: made safe")
            note = "阀门已关，已开窗通风 / valve closed, room aired"
            return await self._request(order, "made-safe", who, reading_lel=reading, note=note)

        async def find_cause(order: Entity, who: str) -> Entity | Refusal:
            cause, cause_zh, cause_en = BEFORE_THE_METER if town.households[home_id].home.leak_before_m3h > 0 else work.cause
            zh, en = await self._shown(order, work.search_s, tempo.search_s)
            town.repair(home_id)
            self._tell(home_id, f"查漏修复 {zh}：{cause_zh}", f"leak search and repair took {en}: {cause_en}")
            return await self._request(order, "cause", who, cause=cause, note=f"{cause_zh} / {cause_en}")

        async def test(order: Entity, who: str) -> Entity | Refusal:
            zh, en = await self._shown(order, work.test_min * 60, tempo.test_s)
            kpa = work.test_kpa
            self._tell(home_id, f"严密性试验 {zh}：{kpa:.2f} kPa 无压降", f"tightness test over {en}: {kpa:.2f} kPa held")
            return await self._request(order, "tightness-test", who, start_kpa=kpa, end_kpa=kpa, minutes=work.test_min)

        async def restore(order: Entity, who: str) -> Entity | Refusal:
            if town.households[home_id].home.valve != "open":
                refusal = await self._open(home_id, order, who)
                if refusal is not None:
                    return refusal
            zh, en = await self._shown(order, work.burners_s, tempo.burners_s)
            self._tell(home_id, f"置换、点火、查漏 {zh}：已复气", f"purged, every burner lit and soaped, {en}: gas restored")
            return await self._request(order, "restore", who, note="逐个点火并查漏 / every burner lit and soap-tested")

        async def archive(order: Entity, who: str) -> Entity | Refusal:
            await self._pass(order, tempo.papers_s)
            answer = await self._request(order, "archive", who, note="住户已签字 / signed by the resident")
            if not isinstance(answer, Refusal):
                self._tell(home_id, f"{order['order_no']} 归档", f"{order['order_no']} is archived")
            return answer

        return {
            "assigned": accept,
            "accepted": drive,
            # A person who played the crew found nobody: it comes again.
            "no_access": drive,
            "on_site": make_safe,
            "made_safe": find_cause,
            "cause_recorded": test,
            "tightness_passed": restore,
            "restored": archive,
        }

    def _inspection(self, home_id: str, work: _Work, tempo: Tempo) -> "Callable[[Entity, str], Awaitable[Entity | Refusal]]":
        """What a technician does on a visit where nothing was shut off: look for gas, and say what he found."""

        async def inspect(order: Entity, who: str) -> Entity | Refusal:
            zh, en = await self._shown(order, work.search_s, tempo.search_s)
            lel = self._town.reading_lel(home_id)
            self._tell(home_id, f"检查 {zh}：读数 {lel:.1f} %LEL，未发现泄漏", f"inspected, {en}: {lel:.1f} %LEL, no leak found")
            note = f"逐点查漏，读数 {lel:.1f} %LEL / every joint searched, {lel:.1f} %LEL"
            return await self._request(order, "cause", who, cause="no_leak_found", note=note)

        return inspect

    async def _until_clear(self, home_id: str) -> None:
        """Wait for the instrument to show that the room clears."""
        room = Room(self._town, home_id)
        while not room.clear():
            await self._clock.sleep(LOOK_S)
            room.look()

    async def ask_open(self, home_id: str) -> str:
        """The technician of this home asks for its valve to be opened, once he is on site and before any test; the reason of the refusal.

        ``sent``: the platform agreed. Waits for as long as nobody is on site.
        """
        return await self._to_ask.setdefault(home_id, asyncio.get_running_loop().create_future())

    async def _ask_untested(self, order: Entity, home_id: str, who: str) -> None:
        self._tell(home_id, "未经试验，抢修人员请求开阀", "the technician asks for the valve to be opened, untested")
        answer = await self._request(order, "open-valve", who)
        if isinstance(answer, Refusal):
            self._tell(home_id, f"平台拒绝开阀：{answer.zh}", f"the platform refuses: {answer.en}")
        asked = self._to_ask.pop(home_id)
        if not asked.done():
            asked.set_result(answer.reason if isinstance(answer, Refusal) else "sent")

    async def _open(self, home_id: str, order: Entity, who: str) -> Refusal | None:
        """Ask for the valve to be opened and press the key at the meter; None when it is open."""
        self._town.wake_meter(home_id)
        await self._clock.sleep(0.5)  # what it reports is on its way; it hears what is asked for in the moments after that
        self._tell(home_id, "抢修人员在表前请求开阀", "the technician stands at the meter and asks for it to be opened")
        answer = await self._request(order, "open-valve", who)
        if isinstance(answer, Refusal):
            return answer
        await self._clock.sleep(_KEY_AFTER_S)
        for _ in range(20):
            if self._town.press_key(home_id):
                break
            await self._clock.sleep(0.5)
        else:
            return Refusal("no_open_at_the_meter", "开阀指令没有到达燃气表", "no order to open has reached the meter")
        while self._town.households[home_id].home.valve == "opening":
            await self._clock.sleep(0.5)
        # The platform hears of it a moment later; asking earlier would only be refused.
        await self._clock.sleep(1.0)
        return None

    async def _request(self, order: Entity, what: str, who: str, **body: object) -> Entity | Refusal:
        self._check_ours(order)
        return await self._api.ask(f"orders/{order['order_no']}/{what}", who, **body)

    async def _report_position(self, order: Entity) -> None:
        place = order["place"]
        if place.get("lon") is not None and place.get("coord_datum") is not None:
            where = {key: place[key] for key in ("lon", "lat", "coord_datum")}
            await self._api.ask(f"crews/{order['crew_id']}/position", order["technician_id"] or "", **where)

    async def _shown(self, order: Entity, real_s: float, shown_s: float) -> tuple[str, str]:
        """Let a stretch of work pass; returns how it is said."""
        await self._pass(order, min(real_s, shown_s))
        return compressed(real_s, shown_s)

    async def _pass(self, order: Entity, seconds: float) -> None:
        await self._clock.sleep(seconds)
        self._check_ours(order)

    def _check_ours(self, order: Entity) -> None:
        """Raises _LeftToPersonError where a person has taken the crew over meanwhile."""
        if order["crew_id"] in self._taken:
            raise _LeftToPersonError(order["order_no"])

    def _tell(self, home_id: str, zh: str, en: str) -> None:
        self._town.households[home_id].tell(zh, en)
