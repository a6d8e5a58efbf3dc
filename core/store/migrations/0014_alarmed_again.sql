-- migrate:up
-- A leak that comes anew wants to be seen anew: an acknowledgement holds for the alarms that there were when it was given.

-- Asked of every open incident, every second.
CREATE INDEX incident_events_leak_again ON incident_events (incident_id, at_ms) WHERE kind = 'leak_again';
CREATE INDEX order_steps_leak_again ON order_steps (order_id) WHERE event = 'leak_again';

ALTER TABLE incident_remarks ADD COLUMN alarm_ms bigint NOT NULL DEFAULT 0;
COMMENT ON COLUMN incident_remarks.alarm_ms IS
    'of an acknowledgement: when the incident had last alarmed anew, Unix ms, 0 = it had not, of old ones when they were given. It counts until it alarms anew once more';
-- Who acknowledged before had seen every alarm until then.
ALTER TABLE incident_remarks DISABLE TRIGGER incident_remarks_stay;
UPDATE incident_remarks SET alarm_ms = at_ms WHERE kind = 'acknowledge';
ALTER TABLE incident_remarks ENABLE ALWAYS TRIGGER incident_remarks_stay;
DROP INDEX incident_remarks_seen;
-- Each person sees an alarm for the first time once, also when he presses twice.
CREATE UNIQUE INDEX incident_remarks_seen ON incident_remarks (incident_id, actor, alarm_ms) WHERE kind = 'acknowledge';

-- migrate:down
DROP INDEX order_steps_leak_again, incident_events_leak_again, incident_remarks_seen;
-- Of each person only his first acknowledgement fits what was there before.
ALTER TABLE incident_remarks DISABLE TRIGGER incident_remarks_stay;
DELETE FROM incident_remarks r USING incident_remarks first
WHERE r.kind = 'acknowledge' AND first.kind = 'acknowledge' AND first.incident_id = r.incident_id AND first.actor = r.actor
  AND first.alarm_ms < r.alarm_ms;
ALTER TABLE incident_remarks ENABLE ALWAYS TRIGGER incident_remarks_stay;
CREATE UNIQUE INDEX incident_remarks_seen ON incident_remarks (incident_id, actor) WHERE kind = 'acknowledge';
ALTER TABLE incident_remarks DROP COLUMN alarm_ms;
