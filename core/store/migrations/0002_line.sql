-- migrate:up
-- Written by the line (alarm_engine.ledger) alone, except requests: inserted by the console or dispatch, answered by the line.

CREATE TABLE incidents (
    incident_id    uuid PRIMARY KEY,
    kind           text NOT NULL CHECK (kind IN ('leak', 'hotline_report', 'past_leak', 'unknown_sender', 'garbled_alarm', 'canary')),
    state          text NOT NULL CHECK (state IN ('open', 'closed')),
    home_id        text,
    account        text NOT NULL,
    place          text NOT NULL,
    device_id      text,
    meter_id       text,
    meter_account  text,
    simulated      boolean NOT NULL,
    lane           text NOT NULL,
    reason         text NOT NULL,
    ch4_lel        double precision,
    alarm_lel      double precision,
    lel_vol_percent double precision NOT NULL DEFAULT 5,
    boot           bigint NOT NULL,
    seq            bigint NOT NULL,
    valve          text NOT NULL,
    valve_cause    text,
    alarmed_ms     bigint NOT NULL,
    valve_closed_locally_ms bigint,
    received_ms    bigint NOT NULL,
    close_sent_ms  bigint,
    reported_closed_ms bigint,
    last_leak_ms   bigint NOT NULL,
    opened_valve_ms bigint,
    closed_ms      bigint,
    devices        text[] NOT NULL DEFAULT '{}',
    home           jsonb NOT NULL
);
COMMENT ON COLUMN incidents.home IS 'the home, its devices and contacts as they were when the incident opened';
COMMENT ON COLUMN incidents.valve IS 'commanded | accepted | reported_closed | no_answer | refused | travel_time_over | opened | no_meter | none';
COMMENT ON COLUMN incidents.place IS 'the home id, or account:<id> where no home is known: one open incident a place';
CREATE UNIQUE INDEX incidents_one_open ON incidents (place) WHERE state = 'open';
CREATE INDEX incidents_received ON incidents (received_ms DESC);
CREATE INDEX incidents_home ON incidents (home_id);

CREATE TABLE alarms (
    device_id   text NOT NULL,
    ts          bigint NOT NULL,
    boot        bigint NOT NULL,
    seq         bigint NOT NULL,
    account     text NOT NULL,
    lane        text NOT NULL,
    event       text NOT NULL,
    verdict     text NOT NULL,
    ch4_lel     double precision,
    valve       text,
    cause       text,
    defects     text[] NOT NULL DEFAULT '{}',
    home_id     text,
    incident_id uuid,
    received_ms bigint NOT NULL,
    PRIMARY KEY (device_id, ts, boot, seq)
);
CREATE INDEX alarms_incident ON alarms (incident_id);
CREATE INDEX alarms_received ON alarms (received_ms);

CREATE TABLE commands (
    command_id  uuid PRIMARY KEY,
    device_id   text NOT NULL,
    account     text NOT NULL,
    command     text NOT NULL,
    incident_id uuid,
    attempt     integer NOT NULL,
    order_no    bigint NOT NULL,
    reason      text NOT NULL,
    state       text NOT NULL,
    sends       integer NOT NULL,
    issued_ms   bigint NOT NULL,
    expires_ms  bigint NOT NULL,
    sent_ms     bigint,
    accepted_ms bigint,
    done_ms     bigint,
    result      text,
    detail      text,
    requested_by text NOT NULL
);
CREATE INDEX commands_incident ON commands (incident_id);
CREATE INDEX commands_device ON commands (device_id, order_no DESC);

CREATE TABLE incident_events (
    event_id    uuid PRIMARY KEY,
    incident_id uuid NOT NULL,
    at_ms       bigint NOT NULL,
    kind        text NOT NULL,
    actor       text NOT NULL,
    detail      jsonb NOT NULL DEFAULT '{}'
);
COMMENT ON TABLE incident_events IS 'append-only: who, what, when, why';
CREATE INDEX incident_events_incident ON incident_events (incident_id, at_ms);

CREATE TABLE outbox (
    outbox_no   bigint GENERATED ALWAYS AS IDENTITY,
    message_id  uuid PRIMARY KEY,
    incident_id uuid,
    payload     jsonb NOT NULL,
    created_ms  bigint NOT NULL
);
CREATE INDEX outbox_created ON outbox (created_ms);
CREATE INDEX outbox_no ON outbox (outbox_no);

CREATE TABLE requests (
    request_id  uuid PRIMARY KEY,
    station     text NOT NULL CHECK (station IN ('line', 'dispatch')),
    kind        text NOT NULL,
    body        jsonb NOT NULL,
    actor       text NOT NULL,
    made_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    state       text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'done', 'refused')),
    answer      jsonb,
    answered_at timestamptz
);
CREATE INDEX requests_pending ON requests (station, made_at) WHERE state = 'pending';

CREATE TABLE device_state (
    device_id   text PRIMARY KEY,
    last_ts     bigint NOT NULL,
    last_boot   bigint NOT NULL,
    last_seq    bigint NOT NULL,
    heard_ms    bigint NOT NULL,
    lane        text NOT NULL,
    state       text,
    ch4_lel     double precision,
    normal_ts   bigint,
    normal_boot bigint,
    normal_seq  bigint,
    valve       text,
    cause       text,
    volume_m3   double precision,
    flow_m3h    double precision,
    power       text,
    battery_v   double precision,
    credit_cny  double precision,
    rssi_dbm    double precision,
    online      boolean,
    model       text,
    firmware    text,
    connectivity text,
    report_interval_s integer,
    register_step_m3 double precision,
    clock_offset_ms bigint,
    flags       text[] NOT NULL DEFAULT '{}'
) WITH (fillfactor = 70);

CREATE TABLE quarantine (
    account   text NOT NULL,
    reason    text NOT NULL,
    payload_hash bytea NOT NULL,
    lane      text NOT NULL,
    sample    bytea NOT NULL,
    first_ms  bigint NOT NULL,
    last_ms   bigint NOT NULL,
    count     bigint NOT NULL,
    PRIMARY KEY (account, reason, payload_hash)
);
CREATE INDEX quarantine_last ON quarantine (last_ms);

-- migrate:down
DROP TABLE quarantine, device_state, requests, outbox, incident_events, commands, alarms, incidents;
