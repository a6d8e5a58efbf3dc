"""Which homes, incidents and orders somebody sees, as SQL conditions for lists, single rows, streams and downloads alike.

Decides how a row is tied to a district and to a crew. Refuses to know who asks: that is two values, ``Scope.values()``.

What has no district (a sender that nobody can place, an address told to the hotline) is shown to every desk whatever its districts,
because somebody has to see it. A technician's crew sees what it has an order for that is open, or was open today, and nothing else.
"""

from dataclasses import dataclass
from typing import Any, Final, LiteralString


@dataclass(frozen=True, slots=True)
class Scope:
    """``districts``: GB/T 2260 codes, None = every district. ``crew_id``: set for a pure technician, and then the districts do not
    matter. ``since_ms``: orders archived before it (Unix ms, the beginning of today) are no longer the crew's business.
    """

    districts: tuple[str, ...] | None
    crew_id: str | None
    since_ms: int = 0

    def values(self) -> dict[str, Any]:
        """The parameters of the conditions below."""
        return {
            "scope_districts": None if self.districts is None else list(self.districts),
            "scope_crew": self.crew_id,
            "scope_since_ms": self.since_ms,
        }

    @property
    def everything(self) -> bool:
        """Whether nothing is hidden."""
        return self.districts is None and self.crew_id is None


EVERYTHING: Final = Scope(None, None)

_OF_HIS_CREW: Final[LiteralString] = (
    "scoped.crew_id = %(scope_crew)s AND (scoped.archived_ms IS NULL OR scoped.archived_ms >= %(scope_since_ms)s)"
)
_NO_DISTRICTS: Final[LiteralString] = "%(scope_districts)s::text[] IS NULL"
_CREW_IS_NOT_SET: Final[LiteralString] = "%(scope_crew)s::text IS NULL"


def _either(desk: LiteralString, crew: LiteralString) -> LiteralString:
    # Every value is known when the statement is planned, so that the branch that is not taken costs nothing.
    return f"(CASE WHEN {_CREW_IS_NOT_SET} THEN {desk} ELSE {crew} END)"


def _placed(district: LiteralString) -> LiteralString:
    return f"({_NO_DISTRICTS} OR coalesce({district}, '') = '' OR {district} = ANY (%(scope_districts)s))"


def _home_of(column: LiteralString) -> LiteralString:
    """A row that names a home by ``column``, which may be NULL or name none."""
    return _either(
        f"({_NO_DISTRICTS} OR NOT EXISTS (SELECT FROM homes placed WHERE placed.home_id = {column}"
        " AND placed.district_code <> ALL (%(scope_districts)s)))",
        f"EXISTS (SELECT FROM work_orders scoped WHERE scoped.home_id = {column} AND {_OF_HIS_CREW})",
    )


def home_in_scope(row: LiteralString = "homes") -> LiteralString:
    """A row of ``homes``, by the name that it has in the statement."""
    return _either(
        f"({_NO_DISTRICTS} OR {row}.district_code = ANY (%(scope_districts)s))",
        f"EXISTS (SELECT FROM work_orders scoped WHERE scoped.home_id = {row}.home_id AND {_OF_HIS_CREW})",
    )


def incident_in_scope(row: LiteralString = "incidents") -> LiteralString:
    """A row of ``incidents``. A home that moved to another district stays with the one that it had when its incident opened."""
    return _either(
        _placed(f"{row}.home ->> 'district_code'"),
        _order_of(f"{row}.incident_id"),
    )


def order_in_scope(row: LiteralString = "work_orders") -> LiteralString:
    """A row of ``work_orders``."""
    return _either(
        _placed(f"{row}.place ->> 'district_code'"),
        f"({row}.crew_id = %(scope_crew)s AND ({row}.archived_ms IS NULL OR {row}.archived_ms >= %(scope_since_ms)s))",
    )


def crew_in_scope(row: LiteralString = "crews") -> LiteralString:
    """A row of ``crews``: a technician sees his own."""
    return _either(f"({_NO_DISTRICTS} OR {row}.district_code = ANY (%(scope_districts)s))", f"{row}.crew_id = %(scope_crew)s")


def home_id_in_scope(column: LiteralString) -> LiteralString:
    """A row that names a home by ``column``: holds, conditions, readings, device states."""
    return _home_of(column)


def _order_of(incident_id: LiteralString) -> LiteralString:
    # An order is known by the incident it was made for, and by the other names that the same incident had.
    return (
        f"(EXISTS (SELECT FROM work_orders scoped WHERE scoped.incident_id = {incident_id} AND {_OF_HIS_CREW})"
        " OR EXISTS (SELECT FROM order_aliases known JOIN work_orders scoped USING (order_id)"
        f" WHERE known.incident_id = {incident_id} AND {_OF_HIS_CREW}))"
    )


IN_SCOPE_HOME: Final[LiteralString] = home_in_scope()
"""For statements that name the table ``homes`` itself."""
IN_SCOPE_INCIDENT: Final[LiteralString] = incident_in_scope()
"""For statements that name the table ``incidents`` itself."""
IN_SCOPE_ORDER: Final[LiteralString] = order_in_scope()
"""For statements that name the table ``work_orders`` itself."""
IN_SCOPE_CREW: Final[LiteralString] = crew_in_scope()
"""For statements that name the table ``crews`` itself."""
