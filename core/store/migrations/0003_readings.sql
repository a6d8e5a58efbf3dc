-- migrate:up
-- Written by the line (gateway.readings) by binary COPY. One layout: hypertables with one-day chunks where TimescaleDB is, else
-- declarative daily partitions made ahead by ensure_reading_days(). ts is device time, already screened to a bounded range.

DO $do$
DECLARE
    -- Who has created it in this database wants it used. Installed but not preloaded, it cannot be created: then partitions serve as
    -- well. pg_settings, because current_setting() is refused to a role that may not read this one; such a role has the extension
    -- created for it, or has partitions.
    timescale boolean := EXISTS (SELECT FROM pg_extension WHERE extname = 'timescaledb')
        OR EXISTS (SELECT FROM pg_available_extensions WHERE name = 'timescaledb')
            AND EXISTS (SELECT FROM pg_settings WHERE name = 'shared_preload_libraries' AND setting LIKE '%timescaledb%');
    partitioned text := CASE WHEN timescale THEN '' ELSE ' PARTITION BY RANGE (ts)' END;
BEGIN
    IF timescale THEN
        CREATE EXTENSION IF NOT EXISTS timescaledb;
    END IF;
    EXECUTE 'CREATE TABLE detector_readings (
        device_no   integer NOT NULL,
        ts          timestamptz NOT NULL,
        boot        bigint NOT NULL,
        seq         bigint NOT NULL,
        received_at timestamptz NOT NULL,
        ch4_lel     real,
        state       text,
        ch4_raw     real,
        ch4_raw_unit text,
        power       text,
        temp_c      real,
        battery_v   real,
        rssi_dbm    real,
        defects     text[],
        UNIQUE (device_no, ts, boot, seq))' || partitioned;
    EXECUTE 'CREATE TABLE meter_readings (
        device_no   integer NOT NULL,
        ts          timestamptz NOT NULL,
        boot        bigint NOT NULL,
        seq         bigint NOT NULL,
        received_at timestamptz NOT NULL,
        volume_m3   double precision,
        flow_m3h    real,
        valve       text,
        cause       text,
        pressure_kpa real,
        credit_cny  real,
        flags       text[],
        temp_c      real,
        battery_v   real,
        rssi_dbm    real,
        defects     text[],
        UNIQUE (device_no, ts, boot, seq))' || partitioned;
    IF timescale THEN
        PERFORM create_hypertable('detector_readings', 'ts', chunk_time_interval => interval '1 day', create_default_indexes => false);
        PERFORM create_hypertable('meter_readings', 'ts', chunk_time_interval => interval '1 day', create_default_indexes => false);
    END IF;
END
$do$;

-- Makes the daily partitions from first_day to last_day (UTC) that are missing; a no-op on hypertables. Returns how many were made.
CREATE FUNCTION ensure_reading_days(first_day date, last_day date) RETURNS integer LANGUAGE plpgsql AS $fn$
DECLARE
    made integer := 0;
    parent text;
    d date;
    child text;
BEGIN
    FOREACH parent IN ARRAY ARRAY['detector_readings', 'meter_readings'] LOOP
        IF NOT EXISTS (SELECT FROM pg_partitioned_table WHERE partrelid = parent::regclass) THEN
            CONTINUE;
        END IF;
        d := first_day;
        WHILE d <= last_day LOOP
            child := parent || '_' || to_char(d, 'YYYYMMDD');
            IF to_regclass(child) IS NULL THEN
                EXECUTE format('CREATE TABLE %I PARTITION OF %I FOR VALUES FROM (%L) TO (%L)', child, parent,
                               d::text || ' 00:00:00+00', (d + 1)::text || ' 00:00:00+00');
                made := made + 1;
            END IF;
            d := d + 1;
        END LOOP;
    END LOOP;
    RETURN made;
END
$fn$;

-- migrate:down
DROP FUNCTION ensure_reading_days(date, date);
DROP TABLE detector_readings, meter_readings;
