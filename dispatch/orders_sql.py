"""The statements of ``dispatch.orders``. Each is named for what it does; values are parameters."""

from typing import Final

LOCK_ASSIGNMENT: Final = "SELECT pg_advisory_xact_lock(718201)"
"""One assignment at a time, whichever process does it: a crew is never given two orders."""

TAKE_MESSAGES: Final = """
INSERT INTO dispatch_inbox (message_id, handled_ms) SELECT m, %(now_ms)s FROM unnest(%(message_ids)s::uuid[]) AS m
ON CONFLICT (message_id) DO NOTHING RETURNING message_id
"""
"""Returns those that were not taken before."""

FREE_CREWS: Final = """
SELECT c.crew_id, c.district_code, c.shift_start, c.shift_end, c.simulated,
       coalesce(p.lon, c.lon) AS lon, coalesce(p.lat, c.lat) AS lat, coalesce(p.coord_datum, c.coord_datum) AS coord_datum,
       (SELECT min(t.technician_id) FROM technicians t WHERE t.crew_id = c.crew_id AND t.retired_at IS NULL) AS technician_id
FROM crews c LEFT JOIN crew_positions p ON p.crew_id = c.crew_id AND p.at_ms >= %(positions_since_ms)s
WHERE c.retired_at IS NULL
  AND NOT EXISTS (SELECT FROM work_orders w WHERE w.crew_id = c.crew_id AND w.archived_ms IS NULL)
"""

MAKE_ORDERS: Final = """
WITH fresh AS (
    SELECT o.*, p.prefix, row_number() OVER one AS turn, count(*) OVER (PARTITION BY p.prefix) AS many
    FROM jsonb_populate_recordset(NULL::work_orders, %(orders)s::jsonb) WITH ORDINALITY AS o
    JOIN unnest(%(kinds)s::text[], %(prefixes)s::text[]) AS p (kind, prefix) ON p.kind = o.kind
    WHERE NOT EXISTS (SELECT FROM work_orders w WHERE w.incident_id = o.incident_id AND w.kind = o.kind)
    WINDOW one AS (PARTITION BY p.prefix ORDER BY o.ordinality)
), numbers AS (
    INSERT INTO order_numbers (prefix, day, last) SELECT prefix, %(day)s, max(many) FROM fresh GROUP BY prefix ORDER BY prefix
    ON CONFLICT (prefix, day) DO UPDATE SET last = order_numbers.last + excluded.last
    RETURNING prefix, day, last
), numbered AS (
    SELECT f.*, n.day, n.last - f.many + f.turn AS number FROM fresh f JOIN numbers n USING (prefix)
), made AS (
    INSERT INTO work_orders (order_id, order_no, kind, incident_id, incident_kind, home_id, simulated, priority, state, place, valve,
                             proof, proof_due_ms, clearing, before_meter, answer_due_ms,
                             ch4_lel, crew_id, technician_id, distance_m, created_ms, assigned_ms)
    SELECT order_id, prefix || '-' || to_char(day, 'YYMMDD') || '-' || lpad(number::text, greatest(4, length(number::text)), '0'),
           kind, incident_id, incident_kind, home_id, simulated, priority, state, place, valve,
           proof, proof_due_ms, clearing, before_meter, answer_due_ms,
           ch4_lel, crew_id, technician_id, distance_m, created_ms, assigned_ms
    FROM numbered ORDER BY number
    RETURNING order_id, order_no, created_ms
), steps AS (
    INSERT INTO order_steps (order_id, at_ms, event, from_state, to_state, actor, detail)
    SELECT made.order_id, made.created_ms, s.event, s.from_state, s.to_state, 'dispatch', s.detail
    FROM jsonb_populate_recordset(NULL::order_steps, %(steps)s::jsonb) WITH ORDINALITY AS s
    JOIN made ON made.order_id = s.order_id ORDER BY s.ordinality
)
SELECT order_id, order_no FROM made
"""
"""Many orders at once, numbered in the order of the list without a gap; what an incident has already is left out."""

ORDER_BY_NO: Final = "SELECT * FROM work_orders WHERE order_no = %(order_no)s FOR UPDATE"
ORDERS_OF_INCIDENT: Final = """
SELECT * FROM work_orders
WHERE incident_id = %(incident_id)s OR order_id IN (SELECT order_id FROM order_aliases WHERE incident_id = %(incident_id)s)
ORDER BY order_no FOR UPDATE
"""

HAVE_ALREADY: Final = """
SELECT a.at, f.incident_id, f.order_id
FROM unnest(%(incidents)s::uuid[], %(kinds)s::text[], %(places)s::text[], %(simulated)s::boolean[])
     WITH ORDINALITY AS a (incident_id, kind, place, simulated, at)
CROSS JOIN LATERAL (
    SELECT w.incident_id, w.order_id FROM (
        SELECT incident_id, order_id, created_ms FROM work_orders WHERE incident_id = a.incident_id AND kind = a.kind
        UNION ALL
        SELECT incident_id, order_id, created_ms FROM work_orders
        WHERE archived_ms IS NULL AND place ->> 'place' = a.place AND kind = a.kind AND simulated = a.simulated AND a.place <> '') w
    ORDER BY w.incident_id = a.incident_id DESC, w.created_ms LIMIT 1
) f
"""
"""Of each incident, by its turn in the list from 1: its own order of this kind, else the open one of its place."""

ONE_ORDER: Final = "SELECT * FROM work_orders WHERE order_id = %(order_id)s FOR UPDATE"

ADD_ALIAS: Final = """
INSERT INTO order_aliases (incident_id, order_id, at_ms) VALUES (%(incident_id)s, %(order_id)s, %(now_ms)s) ON CONFLICT DO NOTHING
"""

INCIDENTS_OF_ORDER: Final = """
SELECT incident_id FROM work_orders WHERE order_id = %(order_id)s
UNION SELECT incident_id FROM order_aliases WHERE order_id = %(order_id)s
"""

CANARY_OF_INCIDENT: Final = """
SELECT * FROM work_orders WHERE incident_id = %(incident_id)s AND kind = 'canary' FOR UPDATE
"""

CANARIES_LEFT: Final = """
SELECT * FROM work_orders WHERE kind = 'canary' AND archived_ms IS NULL AND created_ms <= %(before_ms)s
ORDER BY created_ms LIMIT 500 FOR UPDATE
"""

WAITING: Final = """
SELECT order_id, order_no, kind, state, simulated, priority, created_ms, place FROM work_orders
WHERE state = 'waiting' AND archived_ms IS NULL AND (place ->> 'send_crew')::boolean
ORDER BY priority, created_ms LIMIT 500
"""

ANY_WAITING: Final = """
SELECT EXISTS (SELECT FROM work_orders
               WHERE state = 'waiting' AND archived_ms IS NULL AND (place ->> 'send_crew')::boolean) AS found
"""

STEP: Final = """
INSERT INTO order_steps (order_id, at_ms, event, from_state, to_state, actor, detail)
VALUES (%(order_id)s, %(at_ms)s, %(event)s, %(from_state)s, %(to_state)s, %(actor)s, %(detail)s)
"""

OPENED_AFTER: Final = """
SELECT EXISTS (SELECT FROM order_steps WHERE order_id = %(order_id)s AND event = 'valve'
               AND detail ->> 'valve' = 'opened' AND (detail ->> 'said_ms')::bigint >= %(after_ms)s) AS found
"""

RAISE_PRIORITY: Final = """
UPDATE work_orders SET priority = %(priority)s
WHERE (incident_id = %(incident_id)s OR order_id IN (SELECT order_id FROM order_aliases WHERE incident_id = %(incident_id)s))
  AND kind <> 'canary' AND archived_ms IS NULL AND priority > %(priority)s
"""

ADD_TASK: Final = """
INSERT INTO tasks (task_id, incident_id, home_id, kind, priority, simulated, detail, created_ms)
VALUES (%(task_id)s, %(incident_id)s, %(home_id)s, %(kind)s, %(priority)s, %(simulated)s, %(detail)s, %(now_ms)s)
ON CONFLICT (task_id) DO NOTHING
"""

NOT_ACCEPTED: Final = """
SELECT order_id, order_no, incident_id, home_id, simulated, priority, crew_id, assigned_ms FROM work_orders w
WHERE state = 'assigned' AND archived_ms IS NULL AND kind <> 'canary' AND assigned_ms <= %(before_ms)s
  AND NOT EXISTS (SELECT FROM tasks t WHERE t.incident_id = w.incident_id AND t.kind = 'not_accepted'
                  AND (t.detail ->> 'assigned_ms')::bigint = w.assigned_ms)
LIMIT 500
"""

END_NOT_ACCEPTED: Final = """
UPDATE tasks SET done_ms = %(now_ms)s, done_by = %(done_by)s, note = %(note)s
WHERE kind = 'not_accepted' AND done_ms IS NULL AND incident_id = (SELECT w.incident_id FROM work_orders w WHERE w.order_id = %(order_id)s)
"""

ASSIGNED: Final = """
SELECT w.order_id, w.crew_id, coalesce(c.shift_start, '') AS shift_start, coalesce(c.shift_end, '') AS shift_end,
       c.crew_id IS NOT NULL AND c.retired_at IS NULL AS in_service,
       EXISTS (SELECT FROM technicians t
               WHERE t.technician_id = w.technician_id AND t.crew_id = w.crew_id AND t.retired_at IS NULL) AS technician_there
FROM work_orders w LEFT JOIN crews c USING (crew_id)
WHERE w.state = 'assigned' AND w.archived_ms IS NULL AND w.kind <> 'canary'
ORDER BY w.created_ms LIMIT 500
"""
"""With what the registry says of its crew now. Read without a lock: every round looks at all of them, and next to none is taken back."""

STILL_ASSIGNED: Final = """
SELECT * FROM work_orders
WHERE order_id = %(order_id)s AND crew_id = %(crew_id)s AND state = 'assigned' AND archived_ms IS NULL
FOR UPDATE SKIP LOCKED
"""
"""One that is being worked on this moment is looked at in the next round."""

IS_TECHNICIAN: Final = """
SELECT EXISTS (SELECT FROM technicians WHERE technician_id = %(technician_id)s AND crew_id = %(crew_id)s AND retired_at IS NULL) AS found
"""

FINISHED: Final = """
INSERT INTO requests (request_id, station, kind, body, actor)
VALUES (%(request_id)s, 'line', 'order_finished', %(body)s, 'dispatch') ON CONFLICT (request_id) DO NOTHING
"""

VALVE_SAID: Final = """
SELECT coalesce(max((detail ->> 'said_ms')::bigint), 0) AS said_ms FROM order_steps WHERE order_id = %(order_id)s AND event = 'valve'
"""
