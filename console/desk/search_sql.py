"""The statements of the search, each scoped. Decides what is looked up by an index; refuses to know what a text may mean."""

from typing import Final, LiteralString

from console.access.in_scope import incident_in_scope
from console.access.scope import home_in_scope, order_in_scope
from console.desk.handover_sql import TOLD_PLACE

_HOME: Final[LiteralString] = "h.home_id, h.household_no, h.district_code, h.district, h.community, h.estate, h.building, h.unit, h.room"
_IN_SCOPE: Final = home_in_scope("h")

# From estate to estate along the index: as many steps as there are estates, however many homes they have.
PLACES: Final[LiteralString] = """
    WITH RECURSIVE along AS (
        (SELECT district_code, community, estate, district, subdistrict FROM homes WHERE retired_at IS NULL
         ORDER BY district_code, community, estate LIMIT 1)
        UNION ALL
        SELECT following.* FROM along CROSS JOIN LATERAL (
            SELECT n.district_code, n.community, n.estate, n.district, n.subdistrict FROM homes n
            WHERE n.retired_at IS NULL AND (n.district_code, n.community, n.estate) > (along.district_code, along.community, along.estate)
            ORDER BY n.district_code, n.community, n.estate LIMIT 1) AS following
    )
    SELECT h.district_code, h.community, h.estate, h.district, h.subdistrict FROM along h
    WHERE (%(scope_crew)s::text IS NOT NULL OR %(scope_districts)s::text[] IS NULL OR h.district_code = ANY (%(scope_districts)s))"""
"""Every estate of the districts in scope. A crew's homes are told apart when they are read."""

BY_ADDRESS: Final[LiteralString] = f"""
    SELECT {_HOME}, p.rank
    FROM unnest(%(codes)s::text[], %(communities)s::text[], %(estates)s::text[], %(ranks)s::int[])
         AS p (district_code, community, estate, rank)
    JOIN homes h USING (district_code, community, estate)
    WHERE h.retired_at IS NULL AND {_IN_SCOPE}
      AND (%(building)s::text[] = '{{}}' OR h.building = ANY (%(building)s))
      AND (%(unit)s::text[] = '{{}}' OR h.unit = ANY (%(unit)s)) AND (%(floor)s::text[] = '{{}}' OR h.floor = ANY (%(floor)s))
      AND (%(room)s::text[] = '{{}}' OR h.room = ANY (%(room)s))
      AND (%(loose)s::text[] = '{{}}' OR h.room = ANY (%(loose)s) OR h.building = ANY (%(loose)s))
    ORDER BY p.rank, (h.room = ANY (%(loose)s)) DESC, h.district_code, h.community, h.estate, length(h.building), h.building,
             length(h.unit), h.unit, length(h.room), h.room, h.home_id
    LIMIT %(limit)s"""

HOMES_BY_ID: Final[LiteralString] = f"""
    SELECT {_HOME}, 0 AS rank FROM homes h WHERE h.home_id = ANY (%(home_ids)s) AND {_IN_SCOPE}"""
# The number itself is the first of all that begin with it. Of a beginning that thousands share, the first are looked through and no more.
HOUSEHOLDS: Final[LiteralString] = f"""
    SELECT {_HOME}, (h.household_no <> %(household_no)s)::int AS rank FROM (
        SELECT * FROM homes WHERE household_no LIKE %(beginning)s ORDER BY household_no USING ~<~ LIMIT %(looked_through)s) AS h
    WHERE {_IN_SCOPE} ORDER BY h.household_no LIMIT %(limit)s"""
DEVICES: Final[LiteralString] = f"""
    SELECT d.device_id, d.kind, d.retired_at IS NOT NULL AS retired, (upper(d.device_id) <> %(device)s)::int AS rank, {_HOME}
    FROM (SELECT * FROM devices WHERE upper(device_id) LIKE %(beginning)s
          ORDER BY upper(device_id) USING ~<~ LIMIT %(looked_through)s) AS d
    JOIN homes h USING (home_id)
    WHERE {_IN_SCOPE} ORDER BY d.device_id LIMIT %(limit)s"""
PHONES: Final[LiteralString] = f"""
    SELECT DISTINCT ON (h.home_id) {_HOME}, c.role, 0 AS rank FROM contacts c JOIN homes h USING (home_id)
    WHERE c.phone = ANY (%(phones)s) AND {_IN_SCOPE} ORDER BY h.home_id, c.position LIMIT %(limit)s"""
ORDERS: Final[LiteralString] = f"""
    SELECT o.order_no, o.kind, o.state, o.home_id, o.place FROM work_orders o
    WHERE o.order_no = ANY (%(order_nos)s) AND o.kind <> 'canary' AND {order_in_scope("o")} ORDER BY o.created_ms DESC"""

_INCIDENT: Final[LiteralString] = f"i.incident_id, i.kind, i.state, i.home_id, i.place, i.home, {TOLD_PLACE} AS told_place"
INCIDENT: Final[LiteralString] = f"""
    SELECT {_INCIDENT} FROM incidents i
    WHERE i.incident_id IN (SELECT %(incident_id)s::uuid UNION ALL
                            SELECT a.incident_id FROM incident_aliases a WHERE a.alias_id = %(incident_id)s)
      AND i.kind <> 'canary' AND {incident_in_scope("i")}"""
OPEN_INCIDENTS: Final[LiteralString] = f"""
    SELECT {_INCIDENT} FROM incidents i
    WHERE i.state = 'open' AND i.place = ANY (%(home_ids)s) AND i.kind <> 'canary' AND {incident_in_scope("i")}"""
