-- migrate:up
-- Written by the line alone: what is known of each valve, what holds it, and what each home cannot tell us.

ALTER TABLE incidents
    ADD COLUMN proof text NOT NULL DEFAULT 'none'
        CHECK (proof IN ('none', 'not_yet', 'due_at_uplink', 'holds', 'flows', 'not_provable')),
    ADD COLUMN proof_due_ms bigint,
    ADD COLUMN holds_ms bigint,
    ADD COLUMN clearing text NOT NULL DEFAULT 'unknown' CHECK (clearing IN ('unknown', 'clearing', 'not_clearing')),
    ADD COLUMN clearing_ms bigint,
    ADD COLUMN before_meter_ms bigint,
    ADD COLUMN answer_due_ms bigint,
    ADD COLUMN watch jsonb NOT NULL DEFAULT '{}';
COMMENT ON COLUMN incidents.proof IS 'third answer: does the valve hold, by the index';
COMMENT ON COLUMN incidents.proof_due_ms IS 'when the third answer can be given, while it is not_yet or due_at_uplink';
COMMENT ON COLUMN incidents.holds_ms IS 'T5: the valve was seen to hold';
COMMENT ON COLUMN incidents.clearing IS 'fourth answer: does the methane in the room fall';
COMMENT ON COLUMN incidents.clearing_ms IS 'T5c: the room was seen to clear';
COMMENT ON COLUMN incidents.before_meter_ms IS 'when a leak before the meter was suspected; NULL = not suspected';
COMMENT ON COLUMN incidents.answer_due_ms IS 'a meter in power-saving mode hears the close at its next uplink, expected then';
COMMENT ON COLUMN incidents.watch IS 'what the watch over valve and room remembers: indexes, peaks, the last word to dispatch';
COMMENT ON COLUMN incidents.valve IS
    'commanded | accepted | reported_closed | gas_still_flows | no_answer | refused | travel_time_over | opened | no_meter | none';

ALTER TABLE device_state
    ADD COLUMN last_order_no bigint NOT NULL DEFAULT 0,
    ADD COLUMN counter_resets integer NOT NULL DEFAULT 0,
    ADD COLUMN retained_items bigint NOT NULL DEFAULT 0;

CREATE TABLE incident_aliases (
    alias_id    uuid PRIMARY KEY,
    incident_id uuid NOT NULL,
    at_ms       bigint NOT NULL,
    reason      text NOT NULL
);
COMMENT ON TABLE incident_aliases IS 'ids that an earlier life of the line, or the other lane, gave to an incident that is open under another id';
CREATE INDEX incident_aliases_incident ON incident_aliases (incident_id);

CREATE TABLE valve_holds (
    hold_id     uuid PRIMARY KEY,
    home_id     text NOT NULL,
    hold        text NOT NULL CHECK (hold IN ('safety', 'arrears', 'self_protection', 'away', 'works')),
    cause       text NOT NULL DEFAULT '',
    incident_id uuid,
    set_ms      bigint NOT NULL,
    set_by      text NOT NULL,
    lifted_ms   bigint,
    lifted_by   text,
    lifted_why  text
);
COMMENT ON TABLE valve_holds IS 'why a valve is kept closed: set by an event, lifted by its own authority alone';
-- Not unique, for the same reason as the conditions below.
CREATE INDEX valve_holds_in_force ON valve_holds (home_id, hold, cause) WHERE lifted_ms IS NULL;
CREATE INDEX valve_holds_home ON valve_holds (home_id, set_ms);

CREATE TABLE home_conditions (
    condition_id uuid PRIMARY KEY,
    home_id     text NOT NULL,
    device_id   text NOT NULL,
    condition   text NOT NULL CHECK (condition IN ('blind', 'silent', 'powerless')),
    cause       text NOT NULL,
    since_ms    bigint NOT NULL,
    ended_ms    bigint
);
COMMENT ON TABLE home_conditions IS 'homes that cannot detect (blind), are not heard (silent) or have no mains (powerless), from when to when';
-- Not unique: a line that started without the database may begin one anew before it has read that it was under way.
CREATE INDEX home_conditions_now ON home_conditions (device_id, condition) WHERE ended_ms IS NULL;
CREATE INDEX home_conditions_home ON home_conditions (home_id, since_ms);

CREATE TABLE line_journal (
    identity    uuid PRIMARY KEY,
    position    bigint NOT NULL
);
COMMENT ON TABLE line_journal IS 'up to which record the database holds what the line wrote to its own journal: a start replays the rest';

-- Written by dispatch alone: an order message of an incident whose place has an open order of that kind under another incident id.
CREATE TABLE order_aliases (
    incident_id uuid NOT NULL,
    order_id    uuid NOT NULL,
    at_ms       bigint NOT NULL,
    PRIMARY KEY (incident_id, order_id)
);
CREATE INDEX order_aliases_order ON order_aliases (order_id);

ALTER TABLE work_orders
    ADD COLUMN proof text NOT NULL DEFAULT 'none',
    ADD COLUMN proof_due_ms bigint,
    ADD COLUMN clearing text NOT NULL DEFAULT 'unknown',
    ADD COLUMN before_meter boolean NOT NULL DEFAULT false,
    ADD COLUMN answer_due_ms bigint;
CREATE INDEX work_orders_place ON work_orders ((place ->> 'place'), kind) WHERE archived_ms IS NULL;

-- migrate:down
DROP INDEX work_orders_place;
ALTER TABLE work_orders
    DROP COLUMN proof, DROP COLUMN proof_due_ms, DROP COLUMN clearing, DROP COLUMN before_meter, DROP COLUMN answer_due_ms;
DROP TABLE order_aliases, line_journal, home_conditions, valve_holds, incident_aliases;
ALTER TABLE device_state DROP COLUMN last_order_no, DROP COLUMN counter_resets, DROP COLUMN retained_items;
ALTER TABLE incidents
    DROP COLUMN proof, DROP COLUMN proof_due_ms, DROP COLUMN holds_ms, DROP COLUMN clearing, DROP COLUMN clearing_ms,
    DROP COLUMN before_meter_ms, DROP COLUMN answer_due_ms, DROP COLUMN watch;
