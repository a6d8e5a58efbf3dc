"""What a request must carry, kind by kind. Decides only whether a body can be read at all."""

from typing import Annotated, Final, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

Text = Annotated[str, Field(max_length=2000)]
Word = Annotated[str, Field(min_length=1, max_length=64)]


class _Body(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class AtOrder(_Body):
    """Something at one order. ``technician_id`` defaults to the actor."""

    order_no: Word
    technician_id: Word | None = None


class Noted(AtOrder):
    """A step with a note. ``happened_ms`` is when it was done, by the platform's clock, Unix ms, where that was not just now."""

    note: Text = ""
    happened_ms: Annotated[int, Field(strict=True, ge=0, lt=2**53)] | None = None


class MadeSafe(Noted):
    """The place is under control: a reading in %LEL at the place."""

    reading_lel: Annotated[float, Field(ge=0, le=1000, allow_inf_nan=False)]


class CauseFound(Noted):
    """Why gas leaked, in one word; ``no_leak_found`` needs its reason in the note."""

    cause: Word


class TightnessTest(Noted):
    """Pressures in kPa and the duration in minutes; ``entered_by`` is the desk that typed them for the technician."""

    start_kpa: Annotated[float, Field(ge=0, le=1000, allow_inf_nan=False)]
    end_kpa: Annotated[float, Field(ge=0, le=1000, allow_inf_nan=False)]
    minutes: Annotated[float, Field(ge=0, le=1440, allow_inf_nan=False)]
    entered_by: Word | None = None


class Reassign(_Body):
    """Take an order from its crew, where it has one, and give it to ``crew_id``, or to the nearest other where none is named."""

    order_no: Word
    crew_id: Word | None = None
    note: Text = ""


class TaskDone(_Body):
    """A task of the desk is done."""

    task_id: UUID
    note: Text = ""


class CrewPosition(_Body):
    """Where a crew is, in degrees of ``coord_datum``."""

    crew_id: Word
    lon: Annotated[float, Field(ge=-180, le=180, allow_inf_nan=False)]
    lat: Annotated[float, Field(ge=-90, le=90, allow_inf_nan=False)]
    coord_datum: Literal["WGS-84", "GCJ-02"]


BODIES: Final[dict[str, type[_Body]]] = {
    "accept": Noted,
    "on_site": Noted,
    "no_access": Noted,
    "made_safe": MadeSafe,
    "record_cause": CauseFound,
    "tightness_test": TightnessTest,
    "restore": Noted,
    "archive": Noted,
    "reassign": Reassign,
    "task_done": TaskDone,
    "crew_position": CrewPosition,
}
