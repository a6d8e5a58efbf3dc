-- migrate:up
-- What was decided stays as it was written: the story of an incident and the steps of an order are added to, and nothing else. The canary
-- alone is forgotten: a round a minute is no decision on anybody's home. Who comes as owner of the tables is refused like anybody else.

CREATE FUNCTION refuse_forgetting() RETURNS trigger
-- Stable: it sees the rows as they were before the statement that deletes, which may take the incident or the order along.
LANGUAGE plpgsql STABLE AS $fn$
BEGIN
    IF TG_TABLE_NAME = 'incident_events' THEN
        IF EXISTS (SELECT FROM incidents i WHERE i.incident_id = OLD.incident_id AND i.kind = 'canary') THEN
            RETURN OLD;
        END IF;
    ELSIF EXISTS (SELECT FROM work_orders w WHERE w.order_id = OLD.order_id AND w.kind = 'canary') THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation', DETAIL = 'Only what is the canary''s is ever deleted.';
END
$fn$;

CREATE TRIGGER incident_events_stay BEFORE UPDATE OR TRUNCATE ON incident_events FOR EACH STATEMENT EXECUTE FUNCTION refuse_rewriting();
CREATE TRIGGER incident_events_kept BEFORE DELETE ON incident_events FOR EACH ROW EXECUTE FUNCTION refuse_forgetting();
CREATE TRIGGER order_steps_stay BEFORE UPDATE OR TRUNCATE ON order_steps FOR EACH STATEMENT EXECUTE FUNCTION refuse_rewriting();
CREATE TRIGGER order_steps_kept BEFORE DELETE ON order_steps FOR EACH ROW EXECUTE FUNCTION refuse_forgetting();
-- Also where replication or a bulk load switches ordinary triggers off.
ALTER TABLE incident_events ENABLE ALWAYS TRIGGER incident_events_stay, ENABLE ALWAYS TRIGGER incident_events_kept;
ALTER TABLE order_steps ENABLE ALWAYS TRIGGER order_steps_stay, ENABLE ALWAYS TRIGGER order_steps_kept;
COMMENT ON TABLE order_steps IS 'append-only: who, what, when';

-- migrate:down
COMMENT ON TABLE order_steps IS NULL;
DROP TRIGGER order_steps_kept ON order_steps;
DROP TRIGGER order_steps_stay ON order_steps;
DROP TRIGGER incident_events_kept ON incident_events;
DROP TRIGGER incident_events_stay ON incident_events;
DROP FUNCTION refuse_forgetting;
