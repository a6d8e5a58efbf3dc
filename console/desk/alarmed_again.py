"""When an incident alarmed anew: a leak that is news although its incident is open and may long have been seen. Said here and nowhere else.

A leak that lasts is noted again and again, by the line and on its order, and is no news. What is: a leak after the room of its detector was
clear or the valve was open, or the first in another room (the line says which, in the entry's ``after``), a report to the hotline, and a
leak that sent an order back.
"""

from typing import Final, LiteralString


def alarms_anew(incident: LiteralString) -> LiteralString:
    """A table of one column, ``at_ms`` (Unix ms): each time that ``incident`` (an alias of a row of ``incidents``) alarmed anew.

    An order that goes back does so for a leak that the line told, and has its time: both are one alarm, however late the order is told.
    The step by which an incident joins the order of another is the beginning of that incident.
    """
    return f"""(
        SELECT e.at_ms FROM incident_events e
        WHERE e.incident_id = {incident}.incident_id AND e.kind = 'leak_again'
          AND (e.detail ->> 'after' IS NOT NULL OR e.detail ->> 'hotline' = 'true')
        UNION ALL
        SELECT (s.detail ->> 'said_ms')::bigint FROM order_steps s
        WHERE s.order_id IN (SELECT w.order_id FROM work_orders w WHERE w.incident_id = {incident}.incident_id
                             UNION ALL SELECT a.order_id FROM order_aliases a WHERE a.incident_id = {incident}.incident_id)
          AND s.event = 'leak_again' AND s.from_state <> s.to_state AND s.detail ->> 'alias' IS NULL
          AND (s.detail ->> 'said_ms')::bigint > {incident}.received_ms)"""


def alarmed_again_ms(incident: LiteralString) -> LiteralString:
    """An expression: when ``incident`` last alarmed anew, Unix ms; NULL where it never did."""
    return f"(SELECT max(anew.at_ms) FROM {alarms_anew(incident)} AS anew)"


OF_ORDERS: Final[LiteralString] = f"""
    SELECT o.order_id, greatest(
        (SELECT max({alarmed_again_ms("i")}) FROM incidents i
         WHERE i.incident_id IN (SELECT o.incident_id UNION ALL SELECT a.incident_id FROM order_aliases a WHERE a.order_id = o.order_id)),
        (SELECT max((s.detail ->> 'said_ms')::bigint) FROM order_steps s
         WHERE s.order_id = o.order_id AND s.event = 'leak_again' AND s.detail ->> 'alias' IS NOT NULL)) AS alarmed_again_ms
    FROM work_orders o WHERE o.order_id = ANY(%(order_ids)s)"""
"""By ``order_id``: when it last alarmed anew where it is worked, Unix ms; to its crew, a leak whose incident joins the order is one."""
