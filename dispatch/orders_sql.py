"""The statements of ``dispatch.orders``. Each is named for what it does; values are parameters."""

from typing import Final

LOCK_ASSIGNMENT: Final = "SELECT pg_advisory_xact_lock(718201)"
"""One assignment at a time, whichever process does it: a crew is never given two orders."""

TAKE_MESSAGE: Final = """
INSERT INTO dispatch_inbox (message_id, handled_ms) VALUES (%(message_id)s, %(now_ms)s)
ON CONFLICT (message_id) DO NOTHING RETURNING message_id
"""

FREE_CREWS: Final = """
SELECT c.crew_id, c.district_code, c.shift_start, c.shift_end, c.simulated,
       coalesce(p.lon, c.lon) AS lon, coalesce(p.lat, c.lat) AS lat, coalesce(p.coord_datum, c.coord_datum) AS coord_datum,
       (SELECT min(t.technician_id) FROM technicians t WHERE t.crew_id = c.crew_id AND t.retired_at IS NULL) AS technician_id
FROM crews c LEFT JOIN crew_positions p USING (crew_id)
WHERE c.retired_at IS NULL
  AND NOT EXISTS (SELECT FROM work_orders w WHERE w.crew_id = c.crew_id AND w.archived_ms IS NULL)
"""

MAKE_ORDER: Final = """
WITH fresh AS (
    SELECT WHERE NOT EXISTS (SELECT FROM work_orders WHERE incident_id = %(incident_id)s AND kind = %(kind)s)
), number AS (
    INSERT INTO order_numbers (prefix, day, last) SELECT %(prefix)s, %(day)s, 1 FROM fresh
    ON CONFLICT (prefix, day) DO UPDATE SET last = order_numbers.last + 1
    RETURNING %(prefix)s || '-' || to_char(day, 'YYMMDD') || '-' || lpad(last::text, greatest(4, length(last::text)), '0') AS order_no
), made AS (
    INSERT INTO work_orders (order_id, order_no, kind, incident_id, incident_kind, home_id, simulated, priority, state, place, valve,
                             ch4_lel, crew_id, technician_id, distance_m, created_ms, assigned_ms)
    SELECT %(order_id)s, order_no, %(kind)s, %(incident_id)s, %(incident_kind)s, %(home_id)s, %(simulated)s, %(priority)s, %(state)s,
           %(place)s, %(valve)s, %(ch4_lel)s, %(crew_id)s, %(technician_id)s, %(distance_m)s, %(now_ms)s, %(assigned_ms)s
    FROM number
    RETURNING order_id, order_no
), steps AS (
    INSERT INTO order_steps (order_id, at_ms, event, from_state, to_state, actor, detail)
    SELECT made.order_id, %(now_ms)s, s.event, s.from_state, s.to_state, 'dispatch', s.detail::jsonb
    FROM made, unnest(%(step_events)s::text[], %(step_from)s::text[], %(step_to)s::text[], %(step_details)s::text[])
         AS s (event, from_state, to_state, detail)
)
SELECT order_id, order_no FROM made
"""

ORDER_BY_NO: Final = "SELECT * FROM work_orders WHERE order_no = %(order_no)s FOR UPDATE"
ORDERS_OF_INCIDENT: Final = "SELECT * FROM work_orders WHERE incident_id = %(incident_id)s ORDER BY order_no FOR UPDATE"

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
WHERE incident_id = %(incident_id)s AND kind <> 'canary' AND archived_ms IS NULL AND priority > %(priority)s
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
