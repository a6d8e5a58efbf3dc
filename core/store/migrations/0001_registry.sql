-- migrate:up
-- Written by core.registry (the import), read by everybody.

CREATE SEQUENCE registry_version;

CREATE TABLE homes (
    home_id        text PRIMARY KEY,
    household_no   text NOT NULL,
    district_code  text NOT NULL,
    district       text NOT NULL,
    subdistrict    text NOT NULL,
    community      text NOT NULL,
    estate         text NOT NULL,
    building       text NOT NULL,
    unit           text NOT NULL,
    floor          text NOT NULL,
    room           text NOT NULL,
    riser_id       text,
    lon            double precision,
    lat            double precision,
    coord_datum    text CHECK (coord_datum IN ('WGS-84', 'GCJ-02')),
    meter_location text,
    access_note    text,
    language       text NOT NULL DEFAULT 'zh' CHECK (language IN ('zh', 'en')),
    flags          text[] NOT NULL DEFAULT '{}',
    alarm_lel      double precision NOT NULL DEFAULT 10 CHECK (alarm_lel BETWEEN 3 AND 25),
    simulated      boolean NOT NULL DEFAULT false,
    retired_at     timestamptz,
    version        bigint NOT NULL
);
CREATE INDEX homes_version ON homes (version);
CREATE INDEX homes_household ON homes (household_no);

CREATE TABLE devices (
    device_no  integer GENERATED ALWAYS AS IDENTITY UNIQUE,
    device_id  text PRIMARY KEY CHECK (device_id ~ '^[A-Za-z0-9_-]{1,32}$'),
    kind       text NOT NULL CHECK (kind IN ('meter', 'detector', 'hub')),
    home_id    text REFERENCES homes,
    account    text NOT NULL,
    made_on    date,
    retired_at timestamptz,
    version    bigint NOT NULL
);
COMMENT ON COLUMN devices.account IS 'the MQTT account that serves the device: its own id, or its hub';
CREATE INDEX devices_home ON devices (home_id);
CREATE INDEX devices_version ON devices (version);
-- One valve meter a home.
CREATE UNIQUE INDEX devices_one_meter ON devices (home_id) WHERE kind = 'meter' AND retired_at IS NULL;

CREATE TABLE contacts (
    home_id  text NOT NULL REFERENCES homes ON DELETE CASCADE,
    position smallint NOT NULL,
    name     text NOT NULL,
    role     text NOT NULL,
    phone    text NOT NULL,
    PRIMARY KEY (home_id, position)
);

CREATE TABLE crews (
    crew_id       text PRIMARY KEY,
    district_code text NOT NULL,
    lon           double precision NOT NULL,
    lat           double precision NOT NULL,
    coord_datum   text NOT NULL CHECK (coord_datum IN ('WGS-84', 'GCJ-02')),
    shift_start   text NOT NULL,
    shift_end     text NOT NULL,
    simulated     boolean NOT NULL DEFAULT false,
    retired_at    timestamptz,
    version       bigint NOT NULL
);
COMMENT ON COLUMN crews.shift_start IS 'HH:MM local time (Asia/Shanghai); 00:00 to 24:00 is always on duty';

CREATE TABLE technicians (
    technician_id text PRIMARY KEY,
    crew_id       text NOT NULL REFERENCES crews,
    name          text NOT NULL,
    phone         text NOT NULL,
    retired_at    timestamptz
);
CREATE INDEX technicians_crew ON technicians (crew_id);

CREATE TABLE broker_accounts (
    account       text PRIMARY KEY,
    password_hash text NOT NULL
);

CREATE TABLE registry_changes (
    version    bigint PRIMARY KEY,
    what       text NOT NULL,
    made_at    timestamptz NOT NULL DEFAULT now(),
    added      integer NOT NULL,
    changed    integer NOT NULL,
    retired    integer NOT NULL
);

-- migrate:down
DROP TABLE registry_changes, broker_accounts, technicians, crews, contacts, devices, homes;
DROP SEQUENCE registry_version;
