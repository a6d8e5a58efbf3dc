"""The statements of a shift's handover: what is open, in scope, and the two append-only tables that hold what was signed."""

from typing import Final, LiteralString

from console.access.in_scope import TASK_IN_SCOPE, home_open, incident_in_scope
from console.access.scope import home_in_scope, order_in_scope
from console.desk.alarmed_again import alarmed_again_ms

_ADDRESS: Final[LiteralString] = "h.district_code, h.district, h.estate, h.building, h.unit, h.room"
_HERE: Final = home_in_scope("h")
_INCIDENT: Final = incident_in_scope("i")

TOLD_PLACE: Final[LiteralString] = """CASE WHEN i.home_id IS NULL AND i.kind = 'hotline_report' THEN
    (SELECT e.detail ->> 'place' FROM incident_events e WHERE e.incident_id = i.incident_id AND e.kind = 'opened' LIMIT 1) END"""
"""Where the hotline was told that gas smells, of an incident without a home."""

INCIDENTS: Final[LiteralString] = f"""
    SELECT i.incident_id, i.kind, i.home_id, i.place, i.home, i.valve, i.proof, i.clearing, i.received_ms, {TOLD_PLACE} AS told_place,
           (SELECT r.display FROM incident_remarks r WHERE r.incident_id = i.incident_id AND r.kind = 'acknowledge'
              AND r.alarm_ms >= coalesce({alarmed_again_ms("i")}, 0)
            ORDER BY r.at_ms, r.remark_id LIMIT 1) AS seen_by,
           o.order_no, o.state AS order_state
    FROM incidents i
    LEFT JOIN LATERAL (
        SELECT w.order_no, w.state FROM work_orders w
        JOIN (SELECT own.order_id FROM work_orders own WHERE own.incident_id = i.incident_id
              UNION SELECT a.order_id FROM order_aliases a WHERE a.incident_id = i.incident_id) AS works USING (order_id)
        ORDER BY (w.kind = 'emergency') DESC, w.created_ms LIMIT 1) o ON true
    WHERE i.state = 'open' AND i.kind <> 'canary' AND {_INCIDENT} ORDER BY i.received_ms, i.incident_id"""
TASKS: Final[LiteralString] = f"""
    SELECT tasks.task_id, tasks.incident_id, tasks.home_id, tasks.kind, tasks.priority, tasks.created_ms, {_ADDRESS}
    FROM tasks LEFT JOIN homes h ON h.home_id = tasks.home_id
    WHERE tasks.done_ms IS NULL AND tasks.home_id IS DISTINCT FROM 'CANARY' AND {TASK_IN_SCOPE}
    ORDER BY tasks.priority, tasks.created_ms, tasks.task_id"""
HOLDS: Final[LiteralString] = f"""
    SELECT v.hold_id, v.home_id, v.hold, v.cause, v.set_ms, {_ADDRESS}
    FROM valve_holds v JOIN homes h USING (home_id) WHERE v.lifted_ms IS NULL AND h.retired_at IS NULL AND {_HERE}
    ORDER BY (v.hold = 'arrears'), v.set_ms DESC, v.hold_id LIMIT 500"""
HOLD_COUNTS: Final[LiteralString] = f"""
    SELECT v.hold, count(DISTINCT v.home_id) AS homes
    FROM valve_holds v JOIN homes h USING (home_id) WHERE v.lifted_ms IS NULL AND h.retired_at IS NULL AND {_HERE}
    GROUP BY v.hold ORDER BY v.hold"""
BLIND_GROUPS: Final[LiteralString] = f"""
    SELECT h.district_code, min(h.district) AS district, h.community, h.estate, h.building,
           count(DISTINCT h.home_id) FILTER (WHERE c.condition = 'blind') AS blind,
           count(DISTINCT h.home_id) FILTER (WHERE c.condition = 'silent') AS silent,
           count(DISTINCT h.home_id) FILTER (WHERE c.condition = 'powerless') AS powerless,
           min(c.since_ms) AS since_ms, count(*) OVER () AS buildings
    FROM home_conditions c JOIN homes h USING (home_id) WHERE c.ended_ms IS NULL AND h.retired_at IS NULL AND {_HERE}
    GROUP BY h.district_code, h.community, h.estate, h.building
    ORDER BY count(DISTINCT h.home_id) DESC, h.district_code, h.community, h.estate, h.building LIMIT 300"""
REVISITS: Final[LiteralString] = f"""
    SELECT o.order_no, o.incident_id, o.home_id, o.place, o.revisit_due_ms AS due_ms FROM work_orders o
    WHERE o.archived_ms IS NULL AND o.revisit_due_ms IS NOT NULL AND o.kind <> 'canary' AND {order_in_scope("o")}"""
PROOFS: Final[LiteralString] = f"""
    SELECT i.incident_id, i.home_id, i.place, i.home, {TOLD_PLACE} AS told_place, i.proof_due_ms AS due_ms FROM incidents i
    WHERE i.state = 'open' AND i.proof_due_ms IS NOT NULL AND i.proof IN ('not_yet', 'due_at_uplink') AND i.kind <> 'canary'
      AND {_INCIDENT}"""
REMARKS: Final[LiteralString] = f"""
    SELECT r.remark_id, r.incident_id, r.at_ms, r.kind, r.actor, r.display, r.note
    FROM incident_remarks r JOIN incidents i USING (incident_id)
    WHERE r.at_ms >= %(since_ms)s AND r.kind = 'remark' AND {_INCIDENT} ORDER BY r.at_ms, r.remark_id LIMIT 1000"""
HOMES_OPEN: Final[LiteralString] = f"""
    SELECT i.incident_id, {home_open("i.home_id", "i.incident_id")} AS home_open FROM incidents i WHERE i.incident_id = ANY(%(ids)s)"""
PEOPLE: Final[LiteralString] = "SELECT name, display, roles, districts FROM users WHERE disabled_ms IS NULL ORDER BY name LIMIT 5000"
CALLED: Final[LiteralString] = "SELECT name, display FROM users WHERE name = ANY(%(names)s) ORDER BY name"
LAST_TAKEN: Final[LiteralString] = """
    SELECT max(e.at_ms) AS at_ms FROM handovers h JOIN handover_ends e USING (handover_id) WHERE h.desk = %(desk)s AND e.how = 'taken'"""

# The last that ended is the one that no other ended one names before it; one under way names the same, and keeps a second from beginning.
BEGIN: Final[LiteralString] = """
    INSERT INTO handovers (handover_id, desk, after, begun_ms, actor, display, remarks, owners, document)
    VALUES (%(handover_id)s, %(desk)s, coalesce(
        (SELECT h.handover_id FROM handovers h JOIN handover_ends e USING (handover_id)
         WHERE h.desk = %(desk)s AND NOT EXISTS (
             SELECT FROM handovers later JOIN handover_ends ended USING (handover_id)
             WHERE later.desk = h.desk AND later.after = h.handover_id)), '00000000-0000-0000-0000-000000000000'),
        %(begun_ms)s, %(actor)s, %(display)s, %(remarks)s, %(owners)s, %(document)s)
    ON CONFLICT (desk, after) DO NOTHING RETURNING handover_id"""
END: Final[LiteralString] = """
    INSERT INTO handover_ends (handover_id, how, at_ms, actor, display, note, owners, document)
    VALUES (%(handover_id)s, %(how)s, %(at_ms)s, %(actor)s, %(display)s, %(note)s, %(owners)s, %(document)s)
    ON CONFLICT (handover_id) DO NOTHING RETURNING handover_id"""

_BRIEF: Final[LiteralString] = """
    h.handover_id, h.desk, coalesce(e.how, 'begun') AS state, h.begun_ms, h.actor AS left_by, h.display AS left_display,
    e.at_ms AS ended_ms, e.actor AS ended_by, e.display AS ended_display,
    jsonb_array_length(coalesce(e.document -> 'incidents', h.document -> 'incidents')) AS incidents,
    jsonb_array_length(coalesce(e.document -> 'tasks', h.document -> 'tasks')) AS tasks"""
_SEEN: Final[LiteralString] = """
    (%(scope_districts)s::text[] IS NULL OR (h.desk <> '*' AND string_to_array(h.desk, ',') <@ %(scope_districts)s::text[]))"""
NEWEST: Final[LiteralString] = f"""
    SELECT {_BRIEF} FROM handovers h LEFT JOIN handover_ends e USING (handover_id)
    WHERE {_SEEN} AND (%(at)s::bigint IS NULL OR (h.begun_ms, h.handover_id) < (%(at)s, %(id)s::uuid))
    ORDER BY h.begun_ms DESC, h.handover_id DESC LIMIT %(rows)s"""
BY_ID: Final[LiteralString] = f"""
    SELECT {_BRIEF} FROM handovers h LEFT JOIN handover_ends e USING (handover_id)
    WHERE h.handover_id = ANY(%(ids)s)"""
WHOLE: Final[LiteralString] = f"""
    SELECT {_BRIEF}, h.remarks, h.owners, h.document, e.note AS end_note, e.owners AS end_owners, e.document AS end_document,
           NOT EXISTS (SELECT FROM handovers later JOIN handover_ends ended USING (handover_id)
                       WHERE later.desk = h.desk AND later.begun_ms > h.begun_ms AND ended.how = 'taken') AS is_last
    FROM handovers h LEFT JOIN handover_ends e USING (handover_id)
    WHERE h.handover_id = %(handover_id)s AND {_SEEN}"""
UNDER_WAY: Final[LiteralString] = f"""
    SELECT {_BRIEF} FROM handovers h LEFT JOIN handover_ends e USING (handover_id)
    WHERE h.desk = %(desk)s AND e.handover_id IS NULL LIMIT 1"""
# Of each desk the last that was taken; a thing that stands in the documents of two desks has the owner that was named last. A kind of
# things has one for each desk: what he took is that desk's districts alone. Who is named himself is told it whichever desk named him.
OWNERS: Final[LiteralString] = f"""
    WITH latest AS MATERIALIZED (
        SELECT DISTINCT ON (h.desk) h.desk, h.handover_id, e.at_ms, e.document, {_SEEN} AS seen
        FROM handovers h JOIN handover_ends e USING (handover_id)
        WHERE e.how = 'taken' ORDER BY h.desk, e.at_ms DESC, h.handover_id)
    SELECT DISTINCT ON (thing, kind_of) thing, named.name, coalesce(u.display, named.name) AS display, named.desk,
           CASE WHEN named.seen THEN named.handover_id END AS handover_id, named.at_ms AS taken_ms,
           CASE WHEN thing = 'blind' OR starts_with(thing, 'holds:') THEN named.desk ELSE '' END AS kind_of
    FROM (SELECT each.value ->> 'thing' AS thing, each.value ->> 'owner' AS name, l.*
          FROM latest l, unnest(ARRAY['incidents', 'tasks', 'promises', 'holds', 'hold_counts', 'blind_groups']) part(name),
               jsonb_array_elements(l.document -> part.name) each
          UNION ALL SELECT 'blind', l.document ->> 'blind_owner', l.* FROM latest l) named
    LEFT JOIN users u ON u.name = named.name
    WHERE thing = ANY(%(things)s) AND named.name IS NOT NULL AND (named.seen OR named.name = %(me)s)
    ORDER BY thing, kind_of, named.at_ms DESC"""
