"""Scenarios: what the world does to a platform, and what must hold in the end. One TOML file each.

Decides what a scenario may say. Refuses to know how it is played. ``broken`` names settings of a platform (environment variables)
under which the same scenario must turn its report red, and ``broken_finds`` what must be broken in that report: only what would hold
in a whole play of the same length. ``platform`` names those that a platform started for it alone should have.
All times are seconds of the platform's clock, which runs ``clock_rate`` times as fast as real time.

A scenario is played by three things: ``home`` and ``mixture`` say how the leaking homes are made, ``steps`` what happens to them
and when, ``phones`` how their people treat a ringing telephone. The first home of the cast is *the story's home*.
"""

import tomllib
from importlib.resources import files
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from core.errors import UserError
from simulator.phones.behaviour import Manner
from simulator.scenarios.expected import Condition, Expected, FindingKey, Hold, Served

__all__ = [
    "PLATFORM_STEPS",
    "Answering",
    "Condition",
    "Do",
    "Expected",
    "FindingKey",
    "Hold",
    "Home",
    "Mixture",
    "Scenario",
    "Served",
    "Step",
    "Words",
    "load",
    "names",
]

Do = Literal[
    "leak",  # gas begins to escape in every leaking home; ``value`` m3/h instead of the home's own
    "hub_down",  # the hub that serves the story's home loses its connection: its will, and silence of all behind it
    "hub_up",  # it is back; alarms that were kept are sent
    "power_cut",  # the mains of the story's building fail: a last gasp of every detector; ``value`` = share that lives on by battery
    "power_back",  # the mains return; detectors without a battery start anew
    "stranger_leaks",  # an account that the registry does not know reports leaks of ``value`` devices
    "late_alarm",  # the story's detector delivers a leak ``value`` hours old, of its boot before this one
    "credit",  # the prepaid credit of the story's home is ``value`` yuan from now on, and its meter says so
    "pay",  # its people pay ``value`` yuan
    "ask_open",  # the technician who is on site asks the platform to open the story's valve, untested; played by the scenario's run
]
PLATFORM_STEPS: frozenset[str] = frozenset({"ask_open"})
"""Steps that are asked of the platform, not of the world."""

At = Literal[
    "start",  # the cast is on the air and heard
    "before",  # the step above is done (for leak: all leaking homes have begun to leak)
    "told",  # the story's newest leak was published
    "closed",  # the story's valve is closed since then
    "opened",  # the story's valve was opened by its key
]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Words(_Part):
    """Chinese and English."""

    zh: str
    en: str


class Home(_Part):
    """The physics of the leaking homes. ``leak_m3h`` None: no gas escapes."""

    leak_m3h: float | None = Field(None, gt=0)
    before_meter: bool = Field(False, description="the leak is before the meter: its valve does not stop it, only the riser's does")
    gather_shown_s: float = Field(8.0, gt=0, description="the time until the detector alarms, shown in this many seconds")
    linkage: bool = True
    alarm_message: bool = True
    both_lanes: bool = Field(False, description="the reading is published in the very moment of the alarm, before it")
    own_set_point_lel: float | None = Field(None, ge=5, le=25, description="where the detector itself alarms, if not as registered")
    wake_s: float = Field(4.5, ge=0, description="from the detector's alarm until its radio has sent it, s")
    register_step_m3: float = Field(0.01, gt=0)
    travel_s: float = Field(3.0, ge=0, description="the valve's travel time, s")
    stuck_tries: int = Field(0, ge=0, description="so many closes are accepted and never arrive; the next one does")
    leak_by_m3h: float = Field(0.0, ge=0, description="what the closed valve lets through, m3/h")
    leak_by_tries: int | None = Field(None, ge=1, description="so many closes leave it leaking by; the next one seats it. None: never")
    demand_m3h: float | None = Field(None, ge=0, description="what burns at home, whatever the hour; None: as people live")
    telemetry_s: float = Field(15.0, gt=0)
    meter_telemetry_s: float | None = Field(None, gt=0, description="the meter's own interval, if another one")
    psm: bool = Field(False, description="the meter sleeps: it hears commands only after an uplink of its own")
    credit_cny: float | None = Field(None, description="prepaid credit, yuan; None: no prepaid meter")
    noise_lel: float = Field(0.03, ge=0)
    noise_limit_lel: float = Field(0.1, ge=0)


class Mixture(_Part):
    """How the leaking homes of a storm differ from ``home``: shares 0..1, drawn by the seed, each home at most one of them."""

    no_linkage: float = Field(0.0, ge=0, le=1)
    psm: float = Field(0.0, ge=0, le=1, description="and no linkage: the sleeping meter is what has to close")
    slow_valve: float = Field(0.0, ge=0, le=1, description="no linkage, and the valve takes three times its travel time")
    spread_s: float = Field(5.0, ge=0, description="the leaks begin within so many seconds")

    @model_validator(mode="after")
    def _shares(self) -> Self:
        if self.no_linkage + self.psm + self.slow_valve > 1:
            raise ValueError("the shares of a mixture cannot be more than one together")
        return self


class Step(_Part):
    """Something that happens ``after_s`` seconds after ``at``."""

    do: Do
    at: At = "start"
    after_s: float = Field(0.0, ge=0)
    value: float | None = None


class Answering(_Part):
    """How one contact of each leaking home treats a ringing phone; position 1 is rung first."""

    position: int = Field(ge=1)
    manner: Manner
    rings_s: float = Field(2.0, ge=0)
    listens_s: float = Field(8.0, ge=0)


class Scenario(_Part):
    """One scenario.

    ``ends`` says when it is over, all steps done: *restored*: every incident of its homes is closed and every order archived;
    *watched*: ``watch_s`` seconds later; *served*: every home that leaks has what ``expected.every_home`` names.
    """

    name: str
    title: Words
    story: Words
    homes: int = Field(ge=1, description="homes that report, those that leak among them")
    leaking: int = Field(1, ge=1, description="homes that leak when a step says so; the first is the story's")
    registry_homes: int = Field(200, ge=1, description="homes in the registry of a platform that is started for it")
    where: Literal["plain", "hub", "building"] = Field(
        "plain", description="the story's home and those around it: any; all behind one hub; all in one building"
    )
    clock_rate: float = Field(1.0, gt=0, description="clock of a platform that is started for it, times real time")
    time_limit_s: float = Field(gt=0)
    broken_limit_s: float | None = Field(None, gt=0, description="time limit when it is played with its broken setting")
    broken_finds: tuple[FindingKey, ...] = Field(min_length=1, description="what its broken setting must break, each of them")
    watch_s: float = Field(0.0, ge=0)
    ends: Literal["restored", "watched", "served"] = "restored"
    drive_s: float = Field(8.0, gt=0, description="the crew's drive takes so many seconds of the platform's clock")
    short: bool = Field(True, description="in the short set that is played at every change")
    home: Home
    mixture: Mixture | None = None
    steps: tuple[Step, ...] = ()
    phones: tuple[Answering, ...] = ()
    expected: Expected
    platform: dict[str, str] = {}
    broken: dict[str, str]

    @property
    def acts(self) -> tuple[Step, ...]:
        """The steps, in their order; where gas escapes and no step says when, it begins to leak at the start."""
        if self.home.leak_m3h is None or any(step.do == "leak" for step in self.steps):
            return self.steps
        return (Step(do="leak"), *self.steps)

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.leaking > self.homes or self.homes > self.registry_homes:
            raise ValueError("no more homes can leak than report, nor report than the registry has")
        if self.home.leak_m3h is None and any(step.do == "leak" and step.value is None for step in self.steps):
            raise ValueError("a step leaks, and nothing says how much")
        if self.ends == "watched" and self.watch_s == 0:
            raise ValueError("a scenario that is watched needs watch_s")
        return self


def names() -> tuple[str, ...]:
    """The scenarios that there are, sorted."""
    return tuple(sorted(entry.name.removesuffix(".toml") for entry in files(__name__).iterdir() if entry.name.endswith(".toml")))


def load(name: str) -> Scenario:
    """Read a scenario. Raises UserError when there is none of this name, or its file is wrong."""
    if name not in names():
        known = ", ".join(names())
        raise UserError(f"没有名为 {name} 的场景；可选：{known}", f"there is no scenario {name}; there are: {known}")
    text = files(__name__).joinpath(f"{name}.toml").read_text(encoding="utf-8")
    try:
        return Scenario.model_validate({"name": name, **tomllib.loads(text)})
    except (tomllib.TOMLDecodeError, ValidationError) as error:
        raise UserError(f"场景 {name} 的文件有误：{error}", f"the file of scenario {name} is wrong: {error}") from error
