-- migrate:up
-- Written by the console alone: who may sign in, who is signed in, and what was looked at and changed.

CREATE TABLE users (
    user_id       uuid PRIMARY KEY,
    name          text NOT NULL UNIQUE,
    display       text NOT NULL,
    roles         text[] NOT NULL,
    districts     text[],
    technician_id text,
    language      text NOT NULL DEFAULT 'zh' CHECK (language IN ('zh', 'en')),
    password_hash text,
    made_ms       bigint NOT NULL,
    made_by       text NOT NULL,
    changed_ms    bigint NOT NULL,
    disabled_ms   bigint
);
COMMENT ON COLUMN users.name IS 'what he signs in with, and who he is in every record; never given to another';
COMMENT ON COLUMN users.districts IS 'GB/T 2260 codes that he sees; NULL = every district';
COMMENT ON COLUMN users.password_hash IS 'argon2id; NULL until he has chosen one by his link';

CREATE TABLE sessions (
    session_hash bytea PRIMARY KEY,
    user_id      uuid REFERENCES users,
    roles        text[],
    technician_id text,
    origin       text NOT NULL,
    made_ms      bigint NOT NULL,
    seen_ms      bigint NOT NULL,
    ends_ms      bigint NOT NULL
);
COMMENT ON COLUMN sessions.session_hash IS 'SHA-256 of the cookie, whose value is nowhere stored';
COMMENT ON COLUMN sessions.user_id IS 'NULL: signed in by the link of the demonstration';
COMMENT ON COLUMN sessions.roles IS 'of the demonstration: through whose eyes it is looked at, and as which technician';
CREATE INDEX sessions_user ON sessions (user_id);
CREATE INDEX sessions_ends ON sessions (ends_ms);

CREATE TABLE api_tokens (
    token_id   uuid PRIMARY KEY,
    name       text NOT NULL,
    token_hash bytea NOT NULL UNIQUE,
    rights     text[] NOT NULL,
    districts  text[],
    made_ms    bigint NOT NULL,
    made_by    text NOT NULL,
    ends_ms    bigint NOT NULL,
    ended_ms   bigint,
    ended_by   text,
    seen_ms    bigint
);
COMMENT ON COLUMN api_tokens.token_hash IS 'SHA-256 of the token, whose value is shown once and nowhere stored';
CREATE UNIQUE INDEX api_tokens_name ON api_tokens (name) WHERE ended_ms IS NULL;

CREATE TABLE one_time_links (
    link_hash bytea PRIMARY KEY,
    user_id   uuid NOT NULL REFERENCES users,
    made_ms   bigint NOT NULL,
    made_by   text NOT NULL,
    ends_ms   bigint NOT NULL,
    used_ms   bigint
);
COMMENT ON TABLE one_time_links IS 'with such a link a user chooses his password, once';
CREATE INDEX one_time_links_user ON one_time_links (user_id);

CREATE TABLE sign_in_failures (
    what     text NOT NULL CHECK (what IN ('name', 'origin', 'both')),
    key      text NOT NULL,
    failures integer NOT NULL,
    last_ms  bigint NOT NULL,
    until_ms bigint NOT NULL,
    PRIMARY KEY (what, key)
);
CREATE INDEX sign_in_failures_last ON sign_in_failures (last_ms);

CREATE TABLE known_origins (
    user_id uuid NOT NULL REFERENCES users,
    origin  text NOT NULL,
    last_ms bigint NOT NULL,
    PRIMARY KEY (user_id, origin)
);
COMMENT ON TABLE known_origins IS 'where a user signed in from lately: a stranger elsewhere cannot make him wait there';

CREATE TABLE audit (
    audit_no bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at_ms    bigint NOT NULL,
    who      text NOT NULL,
    via      text NOT NULL CHECK (via IN ('password', 'token', 'demo', 'link', 'command', 'nobody')),
    what     text NOT NULL,
    about    text NOT NULL DEFAULT '',
    reason   text NOT NULL DEFAULT '',
    origin   text NOT NULL DEFAULT '',
    detail   jsonb NOT NULL DEFAULT '{}'
);
COMMENT ON TABLE audit IS 'append-only: signing in and failing to, unmasking, searching by telephone, exporting, changes of users and tokens';
CREATE INDEX audit_who ON audit (who, audit_no);
CREATE INDEX audit_what ON audit (what, audit_no);

CREATE FUNCTION audit_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit record is append-only' USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit
    FOR EACH STATEMENT EXECUTE FUNCTION audit_is_append_only();
-- Also where replication or a bulk load switches ordinary triggers off.
ALTER TABLE audit ENABLE ALWAYS TRIGGER audit_append_only;

CREATE TABLE idempotency_keys (
    owner     text NOT NULL,
    key       text NOT NULL,
    asked     bytea NOT NULL,
    made_ms   bigint NOT NULL,
    status    smallint,
    media     text,
    answer    bytea,
    PRIMARY KEY (owner, key)
);
COMMENT ON COLUMN idempotency_keys.asked IS 'SHA-256 of method, path and body';
COMMENT ON COLUMN idempotency_keys.status IS 'NULL while the first of them is being answered';
CREATE INDEX idempotency_keys_made ON idempotency_keys (made_ms);

-- A technician sees what his crew has an order for.
CREATE INDEX work_orders_crew_archived ON work_orders (crew_id, archived_ms);

-- migrate:down
DROP INDEX work_orders_crew_archived;
DROP TABLE idempotency_keys, audit, known_origins, sign_in_failures, one_time_links, api_tokens, sessions, users;
DROP FUNCTION audit_is_append_only;
