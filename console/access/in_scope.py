"""What ``scope`` says of rows that belong to an incident and to a home at once, and the same judgement for things already read.

The event stream reads each thing once for everybody who watches, so that there it is judged by :func:`sees`, from the same facts and by the
same rules as the SQL of the lists: the district of its home, and the crews that have an order for it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, LiteralString

from console.access.scope import Scope, crew_in_scope, home_id_in_scope, order_in_scope

_HIS: Final[LiteralString] = "scoped.crew_id = %(scope_crew)s AND (scoped.archived_ms IS NULL OR scoped.archived_ms >= %(scope_since_ms)s)"
# An array, read once and looked up by index: a crew has few orders and the tables are long.
# An incident has other ids where the line named it twice, and works under the order of another where they share their place.
_HIS_INCIDENTS: Final[LiteralString] = f"""
    ARRAY(WITH his AS (SELECT scoped.incident_id AS id FROM work_orders scoped WHERE {_HIS}
                  UNION SELECT joined.incident_id FROM work_orders scoped JOIN order_aliases joined USING (order_id) WHERE {_HIS})
     SELECT id FROM his
     UNION SELECT other.incident_id FROM his JOIN incident_aliases other ON other.alias_id = his.id
     UNION SELECT other.alias_id FROM his JOIN incident_aliases other ON other.incident_id = his.id)"""
_DESK: Final[LiteralString] = "%(scope_crew)s::text IS NULL"
_EVERY_DISTRICT: Final[LiteralString] = "%(scope_districts)s::text[] IS NULL"


def _elsewhere(incident_id: LiteralString) -> LiteralString:
    """The incident, by that id or the one that it stands for, is of a district that is not his."""
    return f"""
        EXISTS (SELECT FROM incidents placed
                WHERE placed.incident_id IN ({incident_id}, (SELECT other.incident_id FROM incident_aliases other
                                                             WHERE other.alias_id = {incident_id}))
                  AND coalesce(placed.home ->> 'district_code', '') <> ''
                  AND placed.home ->> 'district_code' <> ALL (%(scope_districts)s))"""


def incident_in_scope(row: LiteralString = "incidents") -> LiteralString:
    """A row of ``incidents``, by the name that it has in the statement; a technician sees it under whatever id his order was made."""
    district: LiteralString = f"coalesce({row}.home ->> 'district_code', '')"
    return f"""(CASE WHEN {_DESK}
        THEN ({_EVERY_DISTRICT} OR {district} = '' OR {district} = ANY (%(scope_districts)s))
        ELSE {row}.incident_id = ANY ({_HIS_INCIDENTS}) END)"""


def belongs_in_scope(row: LiteralString, home_id: LiteralString) -> LiteralString:
    """A row with ``incident_id`` and, by the expression ``home_id``, a home; either may be NULL (calls, commands, tasks).

    Where either is of another district it is hidden from a desk: the incident may be stored later than what was made for it.
    """
    home: LiteralString = home_id_in_scope(home_id)
    return f"""(CASE WHEN {_DESK}
        THEN ({_EVERY_DISTRICT} OR ({home} AND NOT {_elsewhere(f"{row}.incident_id")}))
        ELSE {row}.incident_id = ANY ({_HIS_INCIDENTS}) OR ({row}.incident_id IS NULL AND {home}) END)"""


def home_open(home_id: LiteralString, incident_id: LiteralString) -> LiteralString:
    """Whether an incident of the home, or the incident itself, is open; either expression may be NULL."""
    return f"""(EXISTS (SELECT FROM incidents opened WHERE opened.place = {home_id} AND opened.state = 'open')
        OR EXISTS (SELECT FROM incidents opened WHERE opened.incident_id = {incident_id} AND opened.state = 'open'))"""


CALL_IN_SCOPE: Final[LiteralString] = belongs_in_scope("calls", "calls.home_id")
COMMAND_IN_SCOPE: Final[LiteralString] = belongs_in_scope(
    "commands", "(SELECT placed.home_id FROM devices placed WHERE placed.device_id = commands.device_id)"
)
# A building without mains is of no home and no stored incident, but its district is told.
TASK_IN_SCOPE: Final[LiteralString] = f"""({belongs_in_scope("tasks", "tasks.home_id")}
    AND ({_EVERY_DISTRICT} OR coalesce(tasks.detail ->> 'district_code', '') = ''
         OR tasks.detail ->> 'district_code' = ANY (%(scope_districts)s)))"""
DEVICE_IN_SCOPE: Final[LiteralString] = home_id_in_scope("d.home_id")
# By whatever thing of a place it names; one that names none, or none that is known, is shown to whoever put it. A technician reads what
# he put himself, and is told what became of it also where the order went to another crew meanwhile.
REQUEST_IN_SCOPE: Final[LiteralString] = f"""(NOT {_DESK} OR {_EVERY_DISTRICT} OR (
    {home_id_in_scope("(requests.body ->> 'home_id')")}
    AND {home_id_in_scope("(SELECT placed.home_id FROM devices placed WHERE placed.device_id = requests.body ->> 'device_id')")}
    AND NOT EXISTS (SELECT FROM work_orders WHERE work_orders.order_no = requests.body ->> 'order_no' AND NOT {order_in_scope()})
    AND NOT EXISTS (SELECT FROM crews WHERE requests.kind = 'crew_position' AND crews.crew_id = requests.body ->> 'crew_id'
                                        AND NOT {crew_in_scope()})
    AND NOT EXISTS (SELECT FROM tasks WHERE tasks.task_id = CASE WHEN requests.body ->> 'task_id' ~ '^[0-9a-fA-F-]{{36}}$'
                                                                 THEN (requests.body ->> 'task_id')::uuid END
                                        AND NOT {TASK_IN_SCOPE})))"""


@dataclass(frozen=True, slots=True)
class Tie:
    """How a thing is tied to places and people: the districts of its home and incident, as far as they are known; the crews that have an
    order for it, each with the time at which that order was archived (Unix ms, None = open); whether an incident of its home is open;
    ``whose`` it is, that home or an incident of no home.
    """

    districts: frozenset[str] = frozenset()
    crews: frozenset[tuple[str, int | None]] = frozenset()
    home_open: bool = False
    whose: str | None = None


def districts_of(*codes: str | None) -> frozenset[str]:
    """The districts that are known."""
    return frozenset(code for code in codes if code)


def crews_of(orders: Iterable[Mapping[str, Any]]) -> frozenset[tuple[str, int | None]]:
    """The crews of rows with ``crew_id`` and ``archived_ms``."""
    return frozenset((order["crew_id"], order["archived_ms"]) for order in orders if order["crew_id"] is not None)


def sees(scope: Scope, tie: Tie) -> bool:
    """Whether a thing with this tie is in scope: the same answer as the conditions above give."""
    if scope.crew_id is not None:
        return any(
            crew_id == scope.crew_id and (archived_ms is None or archived_ms >= scope.since_ms) for crew_id, archived_ms in tie.crews
        )
    return scope.districts is None or tie.districts.issubset(scope.districts)
