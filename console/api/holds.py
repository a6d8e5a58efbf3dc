"""What holds a home's valve closed, and the two requests about it. Read from ``valve_holds``; the line writes them and decides."""

from typing import Literal
from uuid import UUID

from fastapi import Response
from pydantic import BaseModel, Field

from console import masking
from console.access.in_scope import home_open
from console.api import homes
from console.api.needs import Console, Database, noun
from console.api.reader import Reader
from console.api.requests import ANSWERS, Asked, Outcome, actor_of, put
from console.problems import responses
from console.vocabulary import HOLDS, VALVE_CAUSES, Words, said

router = noun("homes")

HOLDS_OF_HOME = f"""
    SELECT hold_id, hold, cause, incident_id, set_ms, set_by, lifted_ms, lifted_by, lifted_why,
           {home_open("valve_holds.home_id", "valve_holds.incident_id")} AS home_open
    FROM valve_holds
    WHERE home_id = %(home_id)s ORDER BY (lifted_ms IS NOT NULL), set_ms DESC, hold_id LIMIT 200"""


class Hold(BaseModel):
    """One reason to keep a valve closed; nothing but its own authority lifts it."""

    hold_id: UUID
    hold: str = Field(description="safety, arrears, self_protection, away or works")
    words: Words
    cause: str
    cause_words: Words | None
    incident_id: UUID | None
    in_force: bool
    set_ms: int = Field(description="Unix ms")
    set_by: str
    lifted_ms: int | None = Field(description="Unix ms; null while it is in force")
    lifted_by: str | None
    lifted_why: str | None


class Holds(BaseModel):
    """The holds of a home: those in force first, then the newest."""

    items: list[Hold]


class SetHold(Asked):
    """Keep a home's valve closed on request."""

    hold: Literal["away", "works"]
    cause: str = Field("", max_length=64, description="tells holds of one kind apart: the number of the works")
    reason: str = Field(min_length=1, max_length=64)


class LiftHold(Asked):
    """Lift a hold. The line decides whether this request may."""

    hold: Literal["away", "works", "self_protection"]
    cause: str = Field("", max_length=64, description="as the hold names it")
    why: str = Field(min_length=1, max_length=256)
    authority: Literal["request", "inspection"] = Field("request", description="self-protection: only an inspection that was made lifts it")


@router.get("/homes/{home_id}/holds", summary="What holds a valve closed · 阀门保持切断的原因", responses=responses(404, 422))
async def list_holds(store: Database, who: Reader, home_id: homes.HomeId) -> Holds:
    """At most 200, lifted ones included."""
    await homes.known(store, home_id, who)
    rows = await store.rows(HOLDS_OF_HOME, {"home_id": home_id})
    return Holds(
        items=[
            Hold(
                **masking.shown(row, masking.hold, clear=masking.sees_people(who, home_open=row["home_open"])),
                words=said(HOLDS, row["hold"]),
                cause_words=said(VALVE_CAUSES, row["cause"]) if row["cause"] else None,
                in_force=row["lifted_ms"] is None,
            )
            for row in rows
        ]
    )


@router.post("/homes/{home_id}/holds", summary="Hold a valve closed · 阀门保持切断", responses=ANSWERS)
async def set_hold(console: Console, response: Response, who: Reader, home_id: homes.HomeId, asked: SetHold) -> Outcome:
    """Away or works. The valve is closed and stays so; nothing opens it again but a person at the meter."""
    await homes.known(console.store, home_id, who)
    body = {"home_id": home_id, **asked.model_dump(exclude={"actor"})}
    return await put(console, response, "line", "set_hold", actor_of(who, asked.actor), body)


@router.post("/homes/{home_id}/holds/lift", summary="Lift a hold · 解除保持", responses=ANSWERS)
async def lift_hold(console: Console, response: Response, who: Reader, home_id: homes.HomeId, asked: LiftHold) -> Outcome:
    """Lifting opens nothing. Safety and arrears are not lifted here: a passed test and a payment do that."""
    await homes.known(console.store, home_id, who)
    body = {"home_id": home_id, **asked.model_dump(exclude={"actor"})}
    return await put(console, response, "line", "lift_hold", actor_of(who, asked.actor), body)
