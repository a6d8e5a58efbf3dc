-- migrate:up
-- Written by dispatch alone.

CREATE TABLE work_orders (
    order_id     uuid PRIMARY KEY,
    order_no     text NOT NULL UNIQUE,
    kind         text NOT NULL CHECK (kind IN ('emergency', 'inspection', 'triage', 'canary')),
    incident_id  uuid NOT NULL,
    incident_kind text NOT NULL,
    home_id      text,
    simulated    boolean NOT NULL,
    priority     smallint NOT NULL,
    state        text NOT NULL,
    place        jsonb NOT NULL,
    valve        text NOT NULL,
    ch4_lel      double precision,
    crew_id      text,
    technician_id text,
    distance_m   double precision,
    created_ms   bigint NOT NULL,
    assigned_ms  bigint,
    accepted_ms  bigint,
    on_site_ms   bigint,
    made_safe_ms bigint,
    safe_reading_lel double precision,
    cause        text,
    cause_note   text,
    cause_ms     bigint,
    test_start_kpa double precision,
    test_end_kpa double precision,
    test_minutes double precision,
    test_passed  boolean,
    test_ms      bigint,
    test_by      text,
    restored_ms  bigint,
    archived_ms  bigint,
    no_access_ms bigint,
    revisit_due_ms bigint,
    UNIQUE (incident_id, kind)
);
COMMENT ON COLUMN work_orders.priority IS '1 is worked first';
COMMENT ON COLUMN work_orders.place IS 'addresses in both languages, access note, coordinates with their datum';
CREATE INDEX work_orders_open ON work_orders (state, priority, created_ms) WHERE archived_ms IS NULL;
CREATE INDEX work_orders_crew ON work_orders (crew_id) WHERE archived_ms IS NULL;
CREATE INDEX work_orders_created ON work_orders (created_ms DESC);

CREATE TABLE order_steps (
    step_no    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    order_id   uuid NOT NULL REFERENCES work_orders,
    at_ms      bigint NOT NULL,
    event      text NOT NULL,
    from_state text,
    to_state   text NOT NULL,
    actor      text NOT NULL,
    detail     jsonb NOT NULL DEFAULT '{}'
);
CREATE INDEX order_steps_order ON order_steps (order_id, step_no);

CREATE TABLE order_numbers (
    prefix text NOT NULL,
    day    date NOT NULL,
    last   integer NOT NULL,
    PRIMARY KEY (prefix, day)
);

CREATE TABLE calls (
    call_id      uuid PRIMARY KEY,
    incident_id  uuid NOT NULL,
    home_id      text,
    attempt      integer NOT NULL,
    position     smallint NOT NULL,
    name         text NOT NULL,
    role         text NOT NULL,
    address      text NOT NULL,
    simulated    boolean NOT NULL,
    language     text NOT NULL,
    placed_ms    bigint,
    ringing_ms   bigint,
    answered_ms  bigint,
    key          text,
    key_ms       bigint,
    ended_ms     bigint,
    outcome      text NOT NULL DEFAULT 'under_way',
    sip_code     integer,
    q850_cause   integer,
    cause_source text,
    reason       text,
    said         text[] NOT NULL DEFAULT '{}',
    requested_ms bigint NOT NULL
);
COMMENT ON COLUMN calls.outcome IS 'under_way | confirmed | help_needed | wrong_home | heard_unconfirmed | not_reached | busy | declined | no_answer | failed | no_trunk | worker_lost';
CREATE INDEX calls_incident ON calls (incident_id, attempt);

CREATE TABLE ladders (
    incident_id uuid PRIMARY KEY,
    state       jsonb NOT NULL,
    due_ms      bigint,
    done        boolean NOT NULL DEFAULT false
);
CREATE INDEX ladders_due ON ladders (due_ms) WHERE NOT done;

CREATE TABLE tasks (
    task_id     uuid PRIMARY KEY,
    incident_id uuid,
    home_id     text,
    kind        text NOT NULL,
    priority    smallint NOT NULL,
    simulated   boolean NOT NULL,
    detail      jsonb NOT NULL DEFAULT '{}',
    created_ms  bigint NOT NULL,
    done_ms     bigint,
    done_by     text,
    note        text
);
COMMENT ON TABLE tasks IS 'work for a person at the desk';
CREATE INDEX tasks_open ON tasks (priority, created_ms) WHERE done_ms IS NULL;

CREATE TABLE crew_positions (
    crew_id     text PRIMARY KEY REFERENCES crews,
    lon         double precision NOT NULL,
    lat         double precision NOT NULL,
    coord_datum text NOT NULL,
    at_ms       bigint NOT NULL
);

CREATE TABLE dispatch_inbox (
    message_id uuid PRIMARY KEY,
    handled_ms bigint NOT NULL
);

-- migrate:down
DROP TABLE dispatch_inbox, crew_positions, tasks, ladders, calls, order_numbers, order_steps, work_orders;
