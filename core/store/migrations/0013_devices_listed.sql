-- migrate:up
-- The list of devices goes by their ids, as bytes, so that a beginning of an id is one stretch of it whatever the database's language.

CREATE INDEX devices_listed ON devices (device_id COLLATE "C") WHERE retired_at IS NULL;
CREATE INDEX devices_of_kind ON devices (kind, device_id COLLATE "C") WHERE retired_at IS NULL;

-- Dispatch takes longitude and latitude out of a crew's request as it answers it; earlier versions left them in.
UPDATE requests SET body = body - 'lon' - 'lat' WHERE kind = 'crew_position' AND state <> 'pending' AND body ?| ARRAY['lon', 'lat'];

-- migrate:down
DROP INDEX devices_of_kind, devices_listed;
