"""Which incidents are one piece of work: one incident under several ids, and incidents of a place that share an order.

Pure statements and what they found. A call that joined a running ladder carries the id of the incident that the ladder began for; an order
message of a place whose order is open makes no second one. So what belongs to an incident is looked for under all these ids.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, LiteralString
from uuid import UUID

from console.store import Store

JOINED: Final[LiteralString] = """
    asked AS MATERIALIZED (SELECT DISTINCT id AS asked FROM unnest(%(ids)s::uuid[]) AS t (id)),
    own AS MATERIALIZED (
        SELECT asked, asked AS id FROM asked
        UNION SELECT asked, alias_id FROM asked JOIN incident_aliases ON incident_id = asked
        UNION SELECT asked, incident_id FROM asked JOIN incident_aliases ON alias_id = asked
    ),
    ordered AS MATERIALIZED (
        SELECT own.asked, o.order_id FROM own JOIN work_orders o ON o.incident_id = own.id
        UNION SELECT own.asked, a.order_id FROM own JOIN order_aliases a ON a.incident_id = own.id
    ),
    named AS MATERIALIZED (
        SELECT asked, id FROM own
        UNION SELECT ordered.asked, o.incident_id FROM ordered JOIN work_orders o USING (order_id)
        UNION SELECT ordered.asked, a.incident_id FROM ordered JOIN order_aliases a USING (order_id)
    )"""
"""Of the incidents ``ids``, each as ``asked``: ``own`` their ids, ``ordered`` their orders, ``named`` all ids of these orders beside."""

KIN: Final[LiteralString] = f"""
    WITH {JOINED}
    SELECT named.asked, named.id, EXISTS (SELECT FROM own WHERE own.asked = named.asked AND own.id = named.id) AS own FROM named
    WHERE named.id <> named.asked"""


@dataclass(frozen=True, slots=True)
class Kin:
    """Of some incident ids: the other ids of the same incident (``own``), and of everything that shares an order with it (``named``)."""

    own: dict[UUID, set[UUID]]
    named: dict[UUID, set[UUID]]

    def all(self) -> set[UUID]:
        """Every id that was asked for, and every other one of theirs."""
        return {each for ids in self.named.values() for each in ids}


async def kin_of(store: Store, ids: Sequence[UUID]) -> Kin:
    """The kin of each of ``ids``, itself included. Raises DatabaseAway."""
    found = Kin({each: {each} for each in ids}, {each: {each} for each in ids})
    if ids:
        for row in await store.rows(KIN, {"ids": list(ids)}):
            found.named[row["asked"]].add(row["id"])
            if row["own"]:
                found.own[row["asked"]].add(row["id"])
    return found


def by_asked(rows: Iterable[dict[str, Any]]) -> dict[UUID, list[dict[str, Any]]]:
    """Rows with a column ``asked``, by the incident that was asked for; the column is taken out."""
    found: dict[UUID, list[dict[str, Any]]] = {}
    for row in rows:
        found.setdefault(row["asked"], []).append({name: value for name, value in row.items() if name != "asked"})
    return found
