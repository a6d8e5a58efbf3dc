"""What ties things that were just read to districts and crews, so that the event stream can judge who sees them. One statement a kind."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, LiteralString
from uuid import UUID

from console.access.in_scope import Tie, crews_of, districts_of
from console.joined import JOINED
from console.store import Row, Store

OF_INCIDENTS: Final[LiteralString] = f"""
    WITH {JOINED}
    SELECT asked.asked, i.district_code, coalesce(i.is_open, false) OR coalesce(p.is_open, false) AS home_open, i.whose, o.crews
    FROM asked
    LEFT JOIN LATERAL (SELECT max(nullif(placed.home ->> 'district_code', '')) AS district_code, bool_or(placed.state = 'open') AS is_open,
                              max(placed.home_id) AS home_id, coalesce(max(placed.home_id), min(placed.incident_id::text)) AS whose
                       FROM own JOIN incidents placed ON placed.incident_id = own.id WHERE own.asked = asked.asked) i ON true
    LEFT JOIN LATERAL (SELECT true AS is_open FROM incidents placed WHERE placed.place = i.home_id AND placed.state = 'open') p ON true
    LEFT JOIN LATERAL (SELECT coalesce(jsonb_agg(jsonb_build_object('crew_id', w.crew_id, 'archived_ms', w.archived_ms)), '[]') AS crews
                       FROM ordered JOIN work_orders w USING (order_id) WHERE ordered.asked = asked.asked) o ON true"""
OF_HOMES: Final[LiteralString] = """
    SELECT h.home_id, h.district_code, h.home_id AS whose,
           EXISTS (SELECT FROM incidents placed WHERE placed.place = h.home_id AND placed.state = 'open') AS home_open,
           (SELECT coalesce(jsonb_agg(jsonb_build_object('crew_id', w.crew_id, 'archived_ms', w.archived_ms)), '[]')
            FROM work_orders w WHERE w.home_id = h.home_id) AS crews
    FROM homes h WHERE h.home_id = ANY(%(ids)s::text[])"""


@dataclass(frozen=True, slots=True)
class Ties:
    """The ties of some incidents and homes, by their ids."""

    incidents: Mapping[UUID, Tie]
    homes: Mapping[str, Tie]

    def of(self, incident_id: UUID | None, home_id: str | None, *more: str | None) -> Tie:
        """The tie of a thing of this incident and home, either of which may be missing; ``more`` are districts that it names itself."""
        incident, home = self.incidents.get(incident_id, _NONE) if incident_id else _NONE, self.homes.get(home_id or "", _NONE)
        return Tie(
            incident.districts | home.districts | districts_of(*more),
            home.crews if incident_id is None else incident.crews,
            incident.home_open or home.home_open,
            home.whose or incident.whose,
        )


_NONE: Final = Tie()


async def ties_of(store: Store, rows: Sequence[Mapping[str, Any]], incident_ids: Sequence[UUID] = ()) -> Ties:
    """The ties of the incidents and homes that ``rows`` name, and of ``incident_ids``. Raises DatabaseAway."""
    incidents = {row["incident_id"] for row in rows if row.get("incident_id")} | set(incident_ids)
    homes = {row["home_id"] for row in rows if row.get("home_id")}
    of_incidents = await store.rows(OF_INCIDENTS, {"ids": list(incidents)}) if incidents else []
    of_homes = await store.rows(OF_HOMES, {"ids": list(homes)}) if homes else []
    return Ties({row["asked"]: _tie(row) for row in of_incidents}, {row["home_id"]: _tie(row) for row in of_homes})


def _tie(row: Row) -> Tie:
    return Tie(districts_of(row["district_code"]), crews_of(row["crews"]), row["home_open"], row["whose"])
