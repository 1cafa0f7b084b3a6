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

-- API keys
CREATE TABLE api_keys (
    id           TEXT PRIMARY KEY,
    user_id      TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    name         TEXT NOT NULL,
    description  TEXT NOT NULL DEFAULT '',
    hash         BYTEA NOT NULL UNIQUE,
    scopes       TEXT NOT NULL DEFAULT '[]',
    created_at   BIGINT NOT NULL,
    expires_at   BIGINT,
    last_used_at BIGINT
);
CREATE INDEX api_keys_user ON api_keys (user_id, created_at);
