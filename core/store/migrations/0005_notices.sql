-- migrate:up
-- NOTIFY for those who wait: dispatch behind the outbox, the stations behind requests, the console behind everything that people see.
-- A notice carries ids only; whoever listens also polls.

CREATE FUNCTION notify_change() RETURNS trigger LANGUAGE plpgsql AS $fn$
BEGIN
    PERFORM pg_notify('changes', json_build_object('what', TG_ARGV[0], 'id', to_jsonb(NEW) ->> TG_ARGV[1],
                                                   'incident_id', to_jsonb(NEW) ->> 'incident_id')::text);
    RETURN NULL;
END
$fn$;

CREATE TRIGGER incidents_notice AFTER INSERT OR UPDATE ON incidents
    FOR EACH ROW EXECUTE FUNCTION notify_change('incident', 'incident_id');
CREATE TRIGGER commands_notice AFTER INSERT OR UPDATE ON commands
    FOR EACH ROW EXECUTE FUNCTION notify_change('command', 'command_id');
CREATE TRIGGER incident_events_notice AFTER INSERT ON incident_events
    FOR EACH ROW EXECUTE FUNCTION notify_change('timeline', 'event_id');
CREATE TRIGGER work_orders_notice AFTER INSERT OR UPDATE ON work_orders
    FOR EACH ROW EXECUTE FUNCTION notify_change('order', 'order_id');
CREATE TRIGGER order_steps_notice AFTER INSERT ON order_steps
    FOR EACH ROW EXECUTE FUNCTION notify_change('step', 'step_no');
CREATE TRIGGER calls_notice AFTER INSERT OR UPDATE ON calls
    FOR EACH ROW EXECUTE FUNCTION notify_change('call', 'call_id');
CREATE TRIGGER tasks_notice AFTER INSERT OR UPDATE ON tasks
    FOR EACH ROW EXECUTE FUNCTION notify_change('task', 'task_id');

CREATE FUNCTION notify_requests() RETURNS trigger LANGUAGE plpgsql AS $fn$
BEGIN
    IF TG_OP = 'INSERT' THEN
        PERFORM pg_notify('requests_' || NEW.station, NEW.request_id::text);
    ELSIF NEW.state <> 'pending' THEN
        PERFORM pg_notify('answers', NEW.request_id::text);
    END IF;
    RETURN NULL;
END
$fn$;
CREATE TRIGGER requests_notice AFTER INSERT OR UPDATE ON requests FOR EACH ROW EXECUTE FUNCTION notify_requests();

CREATE FUNCTION notify_outbox() RETURNS trigger LANGUAGE plpgsql AS $fn$
BEGIN
    PERFORM pg_notify('outbox', '');
    RETURN NULL;
END
$fn$;
CREATE TRIGGER outbox_notice AFTER INSERT ON outbox FOR EACH STATEMENT EXECUTE FUNCTION notify_outbox();

-- migrate:down
DROP TRIGGER outbox_notice ON outbox;
DROP FUNCTION notify_outbox();
DROP TRIGGER requests_notice ON requests;
DROP FUNCTION notify_requests();
DROP TRIGGER tasks_notice ON tasks;
DROP TRIGGER calls_notice ON calls;
DROP TRIGGER order_steps_notice ON order_steps;
DROP TRIGGER work_orders_notice ON work_orders;
DROP TRIGGER incident_events_notice ON incident_events;
DROP TRIGGER commands_notice ON commands;
DROP TRIGGER incidents_notice ON incidents;
DROP FUNCTION notify_change();
