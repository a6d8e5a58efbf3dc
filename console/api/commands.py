"""Commands to devices, and how far each one came. Read from ``commands``; the line writes them."""

from collections.abc import Sequence
from typing import Annotated
from uuid import UUID

from fastapi import Query
from pydantic import BaseModel, Field

from console import masking
from console.access.in_scope import COMMAND_IN_SCOPE, home_open
from console.api.needs import Database, noun
from console.api.reader import Reader
from console.joined import kin_of
from console.paging import After, Limit, Page, behind, next_of
from console.problems import responses
from console.store import Row, Store

router = noun("commands")

_COLUMNS = """command_id, device_id, account, command, incident_id, attempt, order_no, reason, state, sends, issued_ms,
    expires_ms, sent_ms, accepted_ms, done_ms, result, detail, requested_by,
    (SELECT d.home_id FROM devices d WHERE d.device_id = commands.device_id) AS home_id"""
_OPEN = home_open("(SELECT d.home_id FROM devices d WHERE d.device_id = commands.device_id)", "commands.incident_id")

# The self-check's commands are listed when they are asked for by their incident or device.
COMMANDS_NEWEST = f"""
    SELECT {_COLUMNS}, {_OPEN} AS home_open FROM commands
    WHERE (%(ids)s::uuid[] IS NULL OR incident_id = ANY(%(ids)s))
      AND (%(device_id)s::text IS NULL OR device_id = %(device_id)s)
      AND {COMMAND_IN_SCOPE}
      AND (device_id <> 'canary-meter' OR %(ids)s::uuid[] IS NOT NULL OR device_id = %(device_id)s)
      AND (%(at)s::bigint IS NULL OR (issued_ms, command_id) < (%(at)s, %(id)s::uuid))
    ORDER BY issued_ms DESC, command_id DESC LIMIT %(rows)s"""
COMMANDS_BY_ID = f"SELECT {_COLUMNS} FROM commands WHERE command_id = ANY(%(ids)s)"
COMMANDS_OF_INCIDENT = f"SELECT {_COLUMNS} FROM commands WHERE incident_id = ANY(%(ids)s) ORDER BY issued_ms, attempt LIMIT 200"


class Command(BaseModel):
    """One command to one device. Times are Unix ms, null while they have not come."""

    command_id: UUID
    device_id: str
    account: str = Field(description="the MQTT account that serves the device")
    command: str = Field(description="close_valve, open_valve, self_test or report")
    incident_id: UUID | None
    attempt: int = Field(description="a re-send keeps its attempt, a new try after a failure is the next one")
    order_no: int = Field(description="grows per device; not a work order's number")
    reason: str
    state: str = Field(description="requested, sent, accepted, reported_closed, no_answer, refused, travel_time_over, …")
    sends: int = Field(description="how often it was sent")
    issued_ms: int
    expires_ms: int = Field(description="binds open, self-test and report only")
    sent_ms: int | None
    accepted_ms: int | None
    done_ms: int | None
    result: str | None = Field(description="the device's last answer")
    detail: str | None
    requested_by: str = Field(description="`line`, or the person who asked")


def from_row(row: Row, *, clear: bool) -> Command:
    """A command as the API gives it; ``clear``: with the telephone numbers that somebody wrote into its reason."""
    return Command(**masking.shown(row, masking.command, clear=clear))


async def of_incident(store: Store, ids: Sequence[UUID], *, clear: bool) -> list[Command]:
    """The commands of an incident under any of its ids, oldest first, at most 200."""
    return [from_row(row, clear=clear) for row in await store.rows(COMMANDS_OF_INCIDENT, {"ids": list(ids)})]


@router.get("/commands", summary="Commands to devices, newest first · 下发指令", responses=responses(422))
async def list_commands(
    store: Database,
    who: Reader,
    incident_id: Annotated[UUID | None, Query(description="commands of this incident only, under whatever id of it")] = None,
    device_id: Annotated[str | None, Query(max_length=32, description="commands to this device only")] = None,
    limit: Limit = 50,
    after: After = None,
) -> Page[Command]:
    """What devices were told, and how they answered."""
    at, last = behind("commands", after, int, UUID)
    ids = None if incident_id is None else list((await kin_of(store, [incident_id])).own[incident_id])
    values = {"ids": ids, "device_id": device_id, "at": at, "id": last, "rows": limit + 1}
    rows = await store.rows(COMMANDS_NEWEST, values | who.scope.values())
    return Page(
        items=[from_row(row, clear=masking.sees_people(who, home_open=row["home_open"])) for row in rows[:limit]],
        next=next_of("commands", rows, limit, lambda row: (row["issued_ms"], str(row["command_id"]))),
    )
