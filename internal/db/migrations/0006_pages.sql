-- What the finished pages need: pictures, API keys, and work that takes longer than a request.

-- how dates and times are written for somebody; NULL is the way of the language
ALTER TABLE users ADD COLUMN dates TEXT;

-- pictures and logos, one row for each picture of an object
CREATE TABLE images (
    kind       TEXT NOT NULL,
    object_id  TEXT NOT NULL,
    type       TEXT NOT NULL,
    width      BIGINT NOT NULL,
    height     BIGINT NOT NULL,
    etag       TEXT NOT NULL,
    data       BYTEA NOT NULL,
    changed_at BIGINT NOT NULL,
    PRIMARY KEY (kind, object_id)
);

-- API keys: the folded name is what the list of an administrator is searched and ordered by
CREATE TABLE api_keys (
    id           TEXT PRIMARY KEY,
    user_id      TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    name         TEXT NOT NULL,
    name_key     TEXT NOT NULL,
    description  TEXT NOT NULL DEFAULT '',
    hash         BYTEA NOT NULL UNIQUE,
    scopes       TEXT NOT NULL DEFAULT '[]',
    created_at   BIGINT NOT NULL,
    expires_at   BIGINT NOT NULL,
    last_used_at BIGINT
);
CREATE INDEX api_keys_user ON api_keys (user_id, created_at);
CREATE INDEX api_keys_name ON api_keys (name_key, id);
CREATE INDEX api_keys_created ON api_keys (created_at, id);
CREATE INDEX api_keys_expires ON api_keys (expires_at, id);
CREATE INDEX api_keys_used ON api_keys (COALESCE(last_used_at, 0), id);

-- directory: how many passkeys somebody has, so that a list can ask for it, and the list of those who have none
ALTER TABLE users ADD COLUMN passkeys BIGINT NOT NULL DEFAULT 0;
UPDATE users SET passkeys = (SELECT count(*) FROM passkeys p WHERE p.user_id = users.id);
DROP INDEX users_people;
CREATE INDEX users_people ON users (disabled_at, expires_at, COALESCE(last_sign_in_at, 0), passkeys, admin, id)
    WHERE deleted_at IS NULL AND kind = 'person';
CREATE INDEX users_keyless ON users (disabled_at, expires_at, COALESCE(last_sign_in_at, 0), admin, id)
    WHERE passkeys = 0 AND deleted_at IS NULL AND kind = 'person';

-- directory: a deed that is done to many people, a few at a time, and goes on when the page is left
CREATE TABLE user_batches (
    id         TEXT PRIMARY KEY,
    deed       TEXT NOT NULL,
    group_id   TEXT,
    group_name TEXT NOT NULL DEFAULT '',
    actor      TEXT NOT NULL,
    total      BIGINT NOT NULL DEFAULT 0,
    changed    BIGINT NOT NULL DEFAULT 0,
    unchanged  BIGINT NOT NULL DEFAULT 0,
    refused    BIGINT NOT NULL DEFAULT 0,
    stopped    TEXT NOT NULL DEFAULT '',
    undoes     TEXT,
    undone_by  TEXT,
    created_at BIGINT NOT NULL,
    ended_at   BIGINT
);
CREATE INDEX user_batches_created ON user_batches (created_at, id);
CREATE INDEX user_batches_open ON user_batches (created_at, id) WHERE ended_at IS NULL;
CREATE TABLE user_batch_rows (
    batch_id TEXT NOT NULL REFERENCES user_batches (id) ON DELETE CASCADE,
    user_id  TEXT NOT NULL,
    state    TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (batch_id, user_id)
);
CREATE INDEX user_batch_rows_state ON user_batch_rows (batch_id, state, user_id);
-- the look of sign-in pages on the way to a client: its own accent, a sentence, and the
-- validator of its own background among the pictures
ALTER TABLE clients ADD COLUMN accent TEXT NOT NULL DEFAULT '';
ALTER TABLE clients ADD COLUMN greeting TEXT NOT NULL DEFAULT '';
ALTER TABLE clients ADD COLUMN background TEXT NOT NULL DEFAULT '';
-- The log: what people do to others and to things, which is little among what everybody does
-- for themselves. Its second condition only says which statements are led along it.
CREATE INDEX audit_others ON audit (at, id) WHERE actor_id <> COALESCE(user_id, '') AND event <> '';


-- the chart of sign-ins: how often an event was recorded in an hour that is over (hours since
-- 1970); the row without an event says which hour is the next to be counted
CREATE TABLE audit_hours (
    event TEXT NOT NULL,
    hour  BIGINT NOT NULL,
    n     BIGINT NOT NULL,
    PRIMARY KEY (event, hour)
);
