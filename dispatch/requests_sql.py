"""The statements of ``dispatch.requests``. Values are parameters."""

from typing import Final

NEXT: Final = """
SELECT request_id, kind, body, actor, extract(epoch FROM made_at) AS made_s FROM requests
WHERE station = 'dispatch' AND state = 'pending' ORDER BY made_at LIMIT 1 FOR UPDATE SKIP LOCKED
"""

ANSWER: Final = """
UPDATE requests SET state = %(state)s, answer = %(answer)s, answered_at = clock_timestamp(),
       body = CASE WHEN kind = 'crew_position' THEN body - 'lon' - 'lat' ELSE body END
WHERE request_id = %(request_id)s
"""
"""Of a position only who told it, and when, stays on record: the newest is in ``crew_positions``, and no way of a crew is kept."""

TASK_DONE: Final = """
UPDATE tasks SET done_ms = %(now_ms)s, done_by = %(actor)s, note = %(note)s WHERE task_id = %(task_id)s AND done_ms IS NULL
RETURNING task_id
"""

CREW_EXISTS: Final = "SELECT EXISTS (SELECT FROM crews WHERE crew_id = %(crew_id)s AND retired_at IS NULL) AS found"

MAY_TELL_POSITION: Final = """
SELECT EXISTS (SELECT FROM technicians WHERE technician_id = %(actor)s AND crew_id = %(crew_id)s AND retired_at IS NULL) AS member,
       EXISTS (SELECT FROM work_orders
               WHERE crew_id = %(crew_id)s AND archived_ms IS NULL AND state NOT IN ('waiting', 'assigned')) AS under_way,
       shift_start, shift_end
FROM crews WHERE crew_id = %(crew_id)s
"""

CREW_POSITION: Final = """
INSERT INTO crew_positions (crew_id, lon, lat, coord_datum, at_ms) VALUES (%(crew_id)s, %(lon)s, %(lat)s, %(coord_datum)s, %(now_ms)s)
ON CONFLICT (crew_id) DO UPDATE SET lon = excluded.lon, lat = excluded.lat, coord_datum = excluded.coord_datum, at_ms = excluded.at_ms
WHERE crew_positions.at_ms <= excluded.at_ms
"""

LAST_LEAK: Final = """
SELECT max((detail ->> 'said_ms')::bigint) AS said_ms FROM order_steps WHERE order_id = %(order_id)s AND event = 'leak_again'
"""

TOLD_BEFORE: Final = """
SELECT detail FROM order_steps
WHERE order_id = %(order_id)s AND event = ANY(%(events)s) AND actor = %(technician)s
  AND detail -> 'happened_ms' = to_jsonb(%(happened_ms)s::bigint)
ORDER BY step_no LIMIT 1
"""
"""The step of this very act, where a phone that heard no answer tells it a second time."""
