-- migrate:up
-- Written by the console alone: what people at the desk said of an incident, and how they handed their shift over.

CREATE FUNCTION refuse_rewriting() RETURNS trigger LANGUAGE plpgsql AS $fn$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END
$fn$;

CREATE TABLE incident_remarks (
    remark_id   uuid PRIMARY KEY,
    incident_id uuid NOT NULL,
    at_ms       bigint NOT NULL,
    kind        text NOT NULL CHECK (kind IN ('remark', 'acknowledge')),
    actor       text NOT NULL,
    display     text NOT NULL,
    note        text NOT NULL DEFAULT ''
);
COMMENT ON TABLE incident_remarks IS 'append-only: what people said of an incident, and who has seen it';
COMMENT ON COLUMN incident_remarks.actor IS 'the name that he signed in with; display is what he was called then';
CREATE INDEX incident_remarks_incident ON incident_remarks (incident_id, at_ms);
CREATE INDEX incident_remarks_at ON incident_remarks (at_ms);
-- Each person sees an incident for the first time once, also when he presses twice.
CREATE UNIQUE INDEX incident_remarks_seen ON incident_remarks (incident_id, actor) WHERE kind = 'acknowledge';
CREATE TRIGGER incident_remarks_stay BEFORE UPDATE OR DELETE OR TRUNCATE ON incident_remarks
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_rewriting();
ALTER TABLE incident_remarks ENABLE ALWAYS TRIGGER incident_remarks_stay;

CREATE FUNCTION notify_remark() RETURNS trigger LANGUAGE plpgsql AS $fn$
BEGIN
    PERFORM pg_notify('changes', json_build_object('what', 'remark', 'id', NEW.remark_id, 'incident_id', NEW.incident_id)::text);
    IF NEW.kind = 'acknowledge' THEN
        PERFORM pg_notify('changes', json_build_object('what', 'incident', 'id', NEW.incident_id, 'incident_id', NEW.incident_id)::text);
    END IF;
    RETURN NULL;
END
$fn$;
CREATE TRIGGER incident_remarks_notice AFTER INSERT ON incident_remarks FOR EACH ROW EXECUTE FUNCTION notify_remark();

CREATE TABLE handovers (
    handover_id uuid PRIMARY KEY,
    desk        text NOT NULL,
    after       uuid NOT NULL,
    begun_ms    bigint NOT NULL,
    actor       text NOT NULL,
    display     text NOT NULL,
    remarks     text NOT NULL,
    owners      jsonb NOT NULL,
    document    jsonb NOT NULL,
    -- The chain of a desk's handovers has one successor each: two that begin at once name the same one before them.
    UNIQUE (desk, after)
);
COMMENT ON TABLE handovers IS 'append-only: the leaving shift signs';
COMMENT ON COLUMN handovers.desk IS 'whose desk: the districts that it answers for, comma between, * for all';
COMMENT ON COLUMN handovers.after IS 'the handover of this desk that ended before this one began; all zeros for its first';
COMMENT ON COLUMN handovers.document IS 'everything that was handed over, as it was signed';
CREATE INDEX handovers_begun ON handovers (begun_ms DESC, handover_id DESC);

CREATE TABLE handover_ends (
    handover_id uuid PRIMARY KEY REFERENCES handovers,
    how         text NOT NULL CHECK (how IN ('taken', 'withdrawn')),
    at_ms       bigint NOT NULL,
    actor       text NOT NULL,
    display     text NOT NULL,
    note        text NOT NULL DEFAULT '',
    owners      jsonb NOT NULL DEFAULT '{}',
    document    jsonb NOT NULL DEFAULT '{}'
);
COMMENT ON TABLE handover_ends IS 'append-only: the taking shift signs, or it was taken back';
CREATE TRIGGER handovers_stay BEFORE UPDATE OR DELETE OR TRUNCATE ON handovers
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_rewriting();
ALTER TABLE handovers ENABLE ALWAYS TRIGGER handovers_stay;
CREATE TRIGGER handover_ends_stay BEFORE UPDATE OR DELETE OR TRUNCATE ON handover_ends
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_rewriting();
ALTER TABLE handover_ends ENABLE ALWAYS TRIGGER handover_ends_stay;
CREATE TRIGGER handovers_notice AFTER INSERT ON handovers FOR EACH ROW EXECUTE FUNCTION notify_change('handover', 'handover_id');
CREATE TRIGGER handover_ends_notice AFTER INSERT ON handover_ends FOR EACH ROW EXECUTE FUNCTION notify_change('handover', 'handover_id');

-- Search: the parts of an address in the order in which they are walked through, and beginnings of numbers whatever the collation.
CREATE INDEX homes_place ON homes (district_code, community, estate, building, unit, room) WHERE retired_at IS NULL;
DROP INDEX homes_household;
CREATE INDEX homes_household ON homes (household_no text_pattern_ops);
CREATE INDEX devices_named ON devices (upper(device_id) text_pattern_ops);
CREATE INDEX contacts_phone ON contacts (phone);
-- The parts of an address depend on each other: taken apart, a city would seem to have fifteen times its estates.
CREATE STATISTICS homes_places (ndistinct) ON district_code, community, estate, building, coord_datum FROM homes;

-- migrate:down
DROP STATISTICS homes_places;
DROP INDEX contacts_phone;
DROP INDEX devices_named;
DROP INDEX homes_household;
CREATE INDEX homes_household ON homes (household_no);
DROP INDEX homes_place;
DROP TABLE handover_ends, handovers, incident_remarks;
DROP FUNCTION notify_remark();
DROP FUNCTION refuse_rewriting();
