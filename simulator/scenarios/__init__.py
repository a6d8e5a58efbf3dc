"""Scenarios: what the world does to a platform, and what must hold in the end. One TOML file each.

Decides what a scenario may say. Refuses to know how it is played. ``broken`` names settings of a platform (environment variables)
under which the same scenario must turn its report red; ``platform`` those that a platform started for it alone should have.
"""

import tomllib
from importlib.resources import files
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from core.errors import UserError
from simulator.phones.behaviour import Manner


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Words(_Part):
    """Chinese and English."""

    zh: str
    en: str


class Home(_Part):
    """The physics of the home in the story. ``leak_m3h`` None: no gas escapes."""

    leak_m3h: float | None = Field(None, gt=0)
    gather_shown_s: float = Field(8.0, gt=0, description="the time until the detector alarms, shown in this many seconds")
    linkage: bool = True
    alarm_message: bool = True
    own_set_point_lel: float | None = Field(None, ge=5, le=25, description="where the detector itself alarms, if not as registered")
    wake_s: float = Field(4.5, ge=0, description="from the detector's alarm until its radio has sent it, s")
    register_step_m3: float = Field(0.01, gt=0)
    telemetry_s: float = Field(15.0, gt=0)
    noise_lel: float = Field(0.03, ge=0)
    noise_limit_lel: float = Field(0.1, ge=0)


class Answering(_Part):
    """How one contact treats a ringing phone; position 1 is rung first."""

    position: int = Field(ge=1)
    manner: Manner
    rings_s: float = Field(2.0, ge=0)
    listens_s: float = Field(8.0, ge=0)


class Expected(_Part):
    """What must hold in the end, beside the invariants.

    ``closed_by``: what moved the valve. ``household``: a key was pressed, or the desk has a task, or nobody was called.
    ``order``: the order came to its end with gas restored, or there is none.
    """

    incidents: int = Field(ge=0)
    closed_by: Literal["linkage", "command", "nobody"]
    household: Literal["reached", "human_task", "not_called"]
    order: Literal["archived", "none"]


class Scenario(_Part):
    """One scenario. Times are seconds of the platform's clock."""

    name: str
    title: Words
    story: Words
    homes: int = Field(ge=1, description="homes that report, the one in the story among them")
    time_limit_s: float = Field(gt=0)
    watch_s: float = Field(0.0, ge=0, description="where nothing may happen: how long to look")
    drive_s: float = Field(8.0, gt=0, description="the crew's drive is shown in this many seconds")
    home: Home
    phones: tuple[Answering, ...] = ()
    expected: Expected
    platform: dict[str, str] = {}
    broken: dict[str, str]


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
