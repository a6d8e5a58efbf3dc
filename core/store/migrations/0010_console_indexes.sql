-- migrate:up
-- What the console's lists and figures need to stay fast in a city of homes and years of incidents, and a notice of where crews are.
-- The self-check opens an incident, an order, a call and a command every minute; the lists leave it out, and so do these.

CREATE INDEX incidents_open ON incidents (received_ms DESC, incident_id DESC) WHERE state = 'open' AND kind <> 'canary';
CREATE INDEX incidents_real ON incidents (received_ms DESC, incident_id DESC) WHERE kind <> 'canary';
CREATE INDEX work_orders_real ON work_orders (created_ms DESC, order_id DESC) WHERE kind <> 'canary';
CREATE INDEX work_orders_under_way ON work_orders (created_ms DESC, order_id DESC) WHERE archived_ms IS NULL AND kind <> 'canary';
CREATE INDEX work_orders_home ON work_orders (home_id);
CREATE INDEX commands_newest ON commands (issued_ms DESC, command_id DESC);
CREATE INDEX calls_newest ON calls (requested_ms DESC, call_id DESC);
CREATE INDEX calls_home ON calls (home_id, requested_ms DESC);
CREATE INDEX tasks_listed ON tasks (priority, created_ms, task_id);
CREATE INDEX tasks_incident ON tasks (incident_id);
CREATE INDEX homes_in_service ON homes (district_code, simulated) INCLUDE (home_id) WHERE retired_at IS NULL;
CREATE INDEX home_conditions_in_force ON home_conditions (home_id, device_id, condition) INCLUDE (since_ms) WHERE ended_ms IS NULL;

CREATE TRIGGER crew_positions_notice AFTER INSERT OR UPDATE ON crew_positions
    FOR EACH ROW EXECUTE FUNCTION notify_change('crew', 'crew_id');

-- migrate:down
DROP TRIGGER crew_positions_notice ON crew_positions;
DROP INDEX home_conditions_in_force, homes_in_service, tasks_incident, tasks_listed, calls_home, calls_newest, commands_newest,
    work_orders_home, work_orders_under_way, work_orders_real, incidents_real, incidents_open;
