-- migrate:up
-- A story keeps its order, and what was once suspected: both are written by the line, with the entry and with the incident.

ALTER TABLE incident_events ADD COLUMN entry_no bigint;
COMMENT ON COLUMN incident_events.entry_no IS
    'grows in the order in which the line makes entries, over restarts too; NULL = made before there were numbers';

ALTER TABLE incidents ADD COLUMN before_meter_first_ms bigint;
COMMENT ON COLUMN incidents.before_meter_ms IS 'since when a leak before the meter is suspected; NULL = it is not (any more)';
COMMENT ON COLUMN incidents.before_meter_first_ms IS
    'when it was first suspected: stays when the valve is opened; NULL = never, or gas was seen to flow through the valve';
-- Leaks alone, by the index of their entries: nobody is kept waiting for it.
WITH told AS (
    SELECT incident_id, (SELECT min(e.at_ms) FROM incident_events e
                         WHERE e.incident_id = i.incident_id AND e.kind = 'before_meter_suspected') AS at_ms
    FROM incidents i WHERE i.kind IN ('leak', 'hotline_report') AND i.proof <> 'flows'
)
UPDATE incidents i SET before_meter_first_ms = told.at_ms FROM told WHERE told.incident_id = i.incident_id AND told.at_ms IS NOT NULL;

-- migrate:down
ALTER TABLE incidents DROP COLUMN before_meter_first_ms;
COMMENT ON COLUMN incidents.before_meter_ms IS 'when a leak before the meter was suspected; NULL = not suspected';
ALTER TABLE incident_events DROP COLUMN entry_no;
