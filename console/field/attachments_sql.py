"""The statements of the photos and signatures of orders. Values are parameters; ``order_attachments`` is the console's own table."""

from typing import Final, LiteralString

from console.access.scope import order_in_scope

_COLUMNS: Final[LiteralString] = """a.attachment_id, o.order_no, o.incident_id, a.kind, a.media_type, a.size, a.happened_ms, a.received_ms,
    a.lon, a.lat, a.coord_datum, a.made_by"""

ORDER: Final[LiteralString] = f"""
    SELECT order_id, created_ms FROM work_orders WHERE order_no = %(order_no)s AND {order_in_scope()}"""

ORDER_TO_ADD_TO: Final[LiteralString] = f"""
    SELECT o.order_id, o.created_ms FROM work_orders o
    WHERE o.order_no = %(order_no)s AND ({order_in_scope("o")} OR (
        o.crew_id = %(scope_crew)s AND o.archived_ms IS NOT NULL
        AND (o.technician_id = %(technician_id)s
             OR EXISTS (SELECT FROM order_steps s WHERE s.order_id = o.order_id AND s.actor = %(technician_id)s))
        AND (o.archived_ms >= %(grace_since_ms)s
             OR EXISTS (SELECT FROM order_steps s WHERE s.order_id = o.order_id AND s.event = 'archive'
                        AND (s.detail ->> 'received_ms')::bigint >= %(grace_since_ms)s))))"""
"""The order, and also one that left his scope at midnight: a phone tells the archiving first, at its true time, and the pictures after."""

ADD: Final[LiteralString] = """
    INSERT INTO order_attachments (attachment_id, order_id, kind, media_type, bytes, size, sha256, happened_ms, received_ms,
                                   lon, lat, coord_datum, made_by)
    SELECT %(attachment_id)s, %(order_id)s, %(kind)s, %(media_type)s, %(bytes)s, %(size)s, %(sha256)s, %(happened_ms)s, %(received_ms)s,
           %(lon)s, %(lat)s, %(coord_datum)s, %(made_by)s
    WHERE (SELECT count(*) FROM order_attachments WHERE order_id = %(order_id)s) < %(most)s
    ON CONFLICT (attachment_id) DO NOTHING RETURNING attachment_id"""

SAME: Final[LiteralString] = "SELECT sha256 = %(sha256)s AS same FROM order_attachments WHERE attachment_id = %(attachment_id)s"

OF_ORDERS: Final[LiteralString] = f"""
    SELECT {_COLUMNS} FROM order_attachments a JOIN work_orders o USING (order_id)
    WHERE o.order_id = ANY(%(order_ids)s) ORDER BY a.happened_ms, a.attachment_id"""

BY_ID: Final[LiteralString] = f"""
    SELECT {_COLUMNS}, o.place ->> 'district_code' AS district_code, o.crew_id, o.archived_ms
    FROM order_attachments a JOIN work_orders o USING (order_id)
    WHERE a.attachment_id = ANY(%(ids)s)"""

BYTES: Final[LiteralString] = f"""
    SELECT a.media_type, a.bytes, a.kind, o.order_no FROM order_attachments a JOIN work_orders o USING (order_id)
    WHERE a.attachment_id = %(attachment_id)s AND {order_in_scope("o")}"""
