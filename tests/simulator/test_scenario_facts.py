"""What a report is judged from is read while nobody works: a step taken after its incident was read would be judged without it."""

import threading
from typing import Any
from uuid import UUID

from core.clock import SystemClock
from deploy.embedded.processes import free_port
from deploy.embedded.testing import TestBroker
from simulator.narration import silent
from simulator.platform import PlatformApi, platform_line
from simulator.run import Stage
from simulator.scenarios import load
from tests.simulator.test_scenario_engaged import home, platform

_RATE = 40.0
_READING_S = 1.5
"""Real seconds that reading the incidents takes here: thirty times as long as a technician needs to accept."""

_CREW = {"crew_id": "芙蓉-1", "simulated": True, "technicians": [{"technician_id": "芙蓉-1-A"}]}


class Desk:
    """A platform with one order, which its technician works on; the incidents are read slowly."""

    def __init__(self, home_id: str) -> None:
        self._home_id = home_id
        self.under_way = threading.Event()
        self.worked = threading.Event()
        self.worked_while_reading: bool | None = None

    def answer(self, path: str) -> Any:
        match path.rpartition("/")[2]:
            case "health" | "readings":
                return {"detector": []}
            case "crews":
                return {"items": [_CREW], "next": None}
            case "orders":
                return {"items": [self._order()], "next": None}
            case "QX-260402-0001":
                self.under_way.set()
                return self._order()
            case "incidents":
                self.worked.clear()
                self.worked_while_reading = self.worked.wait(_READING_S)
                return {"items": [], "next": None}
            case _:
                self.worked.set()
                return {"answer": {}}

    def _order(self) -> Any:
        return {
            "order_no": "QX-260402-0001", "kind": "emergency", "state": "assigned", "crew_id": "芙蓉-1", "technician_id": "芙蓉-1-A",
            "home_id": self._home_id, "incident_id": str(UUID(int=77)), "place": {"lon": None, "coord_datum": None},
        }  # fmt: skip


async def test_no_technician_works_on_while_the_incidents_are_read(broker: TestBroker, database: str) -> None:
    desk = Desk("H0001")
    scenario = load("single-leak").model_copy(update={"homes": 1})
    with platform([home(1)], desk.answer) as url:
        account = {"host": broker.host, "port": broker.port, "username": "fleet", "password": broker.accounts["fleet"]}
        line = platform_line(
            {"mqtt": account, "postgres": database, "http": url, "sim_sip": f"127.0.0.1:{free_port()}", "clock_rate": _RATE}
        )
        async with PlatformApi(url) as api, Stage(scenario, line, api, 7, silent) as stage:
            clock = SystemClock()
            while not (desk.under_way.is_set() and desk.worked.is_set()):
                await clock.sleep(0.01)
            facts = await stage.facts(timed_out=False)
    assert desk.worked_while_reading is False
    assert (facts.story_home, facts.incidents) == ("H0001", ())
