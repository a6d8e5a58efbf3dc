"""The names and telephone numbers of a home for whoever says why he needs them. It is on record before he is shown them.

Where an incident of the home is open nobody needs this: who may see people sees them there.
"""

from typing import Annotated

from fastapi import Depends, Response
from pydantic import BaseModel, ConfigDict, Field

from console.access.who import Who
from console.api import homes
from console.api.needs import Console, needs, noun
from console.api.reason import Reason
from console.problems import responses

router = noun("homes")

CALLED = """
    SELECT call_id, incident_id, requested_ms, name, role, address FROM calls
    WHERE home_id = %(home_id)s ORDER BY requested_ms DESC, call_id LIMIT 50"""


class Unmask(BaseModel):
    """Why somebody has to know who lives there."""

    model_config = ConfigDict(extra="forbid")
    reason: Reason


class Called(BaseModel):
    """Somebody who was rung, under the name and number of that time."""

    call_id: str
    incident_id: str
    requested_ms: int = Field(description="Unix ms")
    name: str
    role: str
    address: str


class People(BaseModel):
    """The people of a home, in clear."""

    home_id: str
    contacts: list[homes.Contact]
    called: list[Called] = Field(description="who was rung for it, newest first, at most 50")
    access_note: str | None = Field(description="with the telephone numbers in it")
    meter_location: str | None = Field(description="with the telephone numbers in it")


@router.post("/homes/{home_id}/people", summary="Names and numbers, with a reason · 说明理由后查看姓名电话", responses=responses(404, 422))
async def unmask(
    console: Console, response: Response, who: Annotated[Who, Depends(needs("unmask"))], home_id: homes.HomeId, asked: Unmask
) -> People:
    """Shown once it is recorded who looked, when and why; where that cannot be recorded nothing is shown."""
    home = await homes.known(console.store, home_id, who)
    values = {"home_id": home_id}
    contacts, called = await console.store.rows(homes.CONTACTS, values), await console.store.rows(CALLED, values)
    counted = {"contacts": len(contacts), "called": len(called)}
    await console.access.audit.note(who, "unmasked", about=home_id, reason=asked.reason, detail=counted)
    # Neither a browser nor the record of answers given (Idempotency-Key) may keep it.
    response.headers["Cache-Control"] = "no-store"
    return People(
        home_id=home_id,
        contacts=[homes.Contact(**row) for row in contacts],
        called=[Called(**{**row, "call_id": str(row["call_id"]), "incident_id": str(row["incident_id"])}) for row in called],
        access_note=home["access_note"],
        meter_location=home["meter_location"],
    )
