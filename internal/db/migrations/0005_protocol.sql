-- The rest of the protocol: what clients may set beside the first columns, and the grants
-- around the authorization code.

-- clients
ALTER TABLE clients ADD COLUMN grant_types TEXT NOT NULL DEFAULT '[]';
ALTER TABLE clients ADD COLUMN max_age_seconds BIGINT NOT NULL DEFAULT 0;
ALTER TABLE clients ADD COLUMN logo_uri TEXT NOT NULL DEFAULT '';
ALTER TABLE clients ADD COLUMN request_uris TEXT NOT NULL DEFAULT '[]';

-- pushed requests (RFC 9126)
CREATE TABLE pushed_requests (
    hash       BYTEA PRIMARY KEY,
    client_id  TEXT NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
    params     TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    used_at    BIGINT
);
CREATE INDEX pushed_requests_expires ON pushed_requests (expires_at);
ALTER TABLE authorizations ADD COLUMN pushed BYTEA;

-- assertions that were used (RFC 7523 §3)
CREATE TABLE used_assertions (
    hash       BYTEA PRIMARY KEY,
    expires_at BIGINT NOT NULL
);
CREATE INDEX used_assertions_expires ON used_assertions (expires_at);

-- APIs (resource servers, RFC 8707)
CREATE TABLE apis (
    id                   TEXT PRIMARY KEY,
    name                 TEXT NOT NULL,
    name_key             TEXT NOT NULL,
    resource             TEXT NOT NULL,
    -- the resource as it is compared: without a slash at the end
    resource_key         TEXT NOT NULL UNIQUE,
    description          TEXT NOT NULL DEFAULT '',
    access_token_seconds BIGINT NOT NULL DEFAULT 0,
    access_token_alg     TEXT NOT NULL DEFAULT '',
    -- the client as which the API asks about tokens (RFC 7662)
    introspector         TEXT REFERENCES clients (id) ON DELETE SET NULL,
    for_documents        BOOLEAN NOT NULL DEFAULT FALSE,
    created_by           TEXT NOT NULL DEFAULT '',
    created_at           BIGINT NOT NULL,
    updated_at           BIGINT NOT NULL
);
CREATE INDEX apis_name ON apis (name_key, id);
CREATE INDEX apis_introspector ON apis (introspector) WHERE introspector IS NOT NULL;
CREATE TABLE api_permissions (
    id            TEXT PRIMARY KEY,
    api_id        TEXT NOT NULL REFERENCES apis (id) ON DELETE CASCADE,
    name          TEXT NOT NULL,
    title         TEXT NOT NULL,
    description   TEXT NOT NULL DEFAULT '',
    for_documents BOOLEAN NOT NULL DEFAULT FALSE,
    position      BIGINT NOT NULL DEFAULT 0,
    UNIQUE (api_id, name)
);
CREATE TABLE api_clients (
    api_id      TEXT NOT NULL REFERENCES apis (id) ON DELETE CASCADE,
    client_id   TEXT NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
    for_users   BOOLEAN NOT NULL DEFAULT FALSE,
    for_machine BOOLEAN NOT NULL DEFAULT FALSE,
    PRIMARY KEY (api_id, client_id)
);
CREATE INDEX api_clients_client ON api_clients (client_id, api_id);
CREATE TABLE api_client_permissions (
    permission_id TEXT NOT NULL REFERENCES api_permissions (id) ON DELETE CASCADE,
    client_id     TEXT NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
    subject       TEXT NOT NULL,
    PRIMARY KEY (permission_id, client_id, subject)
);
CREATE INDEX api_client_permissions_client ON api_client_permissions (client_id);
-- A client has one living grant of its own, however often it asks for tokens.
CREATE UNIQUE INDEX grants_machine ON grants (client_id) WHERE kind = 'client' AND revoked_at IS NULL;

-- devices (RFC 8628)
CREATE TABLE device_codes (
    hash       BYTEA PRIMARY KEY,
    user_code  BYTEA NOT NULL UNIQUE,
    client_id  TEXT NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
    params     TEXT NOT NULL,
    address    TEXT NOT NULL DEFAULT '',
    user_agent TEXT NOT NULL DEFAULT '',
    grant_id   TEXT,
    denied_at  BIGINT,
    pause      BIGINT NOT NULL,
    polled_at  BIGINT,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    used_at    BIGINT
);
CREATE INDEX device_codes_expires ON device_codes (expires_at);

-- exchange of tokens (RFC 8693): who may change the tokens of whom
CREATE TABLE token_exchanges (
    client_id      TEXT NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
    from_client_id TEXT NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
    created_by     TEXT NOT NULL DEFAULT '',
    created_at     BIGINT NOT NULL,
    PRIMARY KEY (client_id, from_client_id)
);
ALTER TABLE grants ADD COLUMN parent_id TEXT;
ALTER TABLE grants ADD COLUMN actor TEXT NOT NULL DEFAULT '';

-- registration (RFC 7591)
CREATE TABLE registration_tokens (
    id           TEXT PRIMARY KEY,
    hash         BYTEA NOT NULL UNIQUE,
    name         TEXT NOT NULL,
    uses         BIGINT NOT NULL,
    uses_left    BIGINT NOT NULL,
    created_by   TEXT NOT NULL DEFAULT '',
    created_at   BIGINT NOT NULL,
    expires_at   BIGINT NOT NULL,
    last_used_at BIGINT
);
ALTER TABLE clients ADD COLUMN registered_with TEXT NOT NULL DEFAULT '';
CREATE INDEX clients_kind ON clients (kind, created_at);

-- ends of sessions (OpenID Connect Back-Channel Logout)
ALTER TABLE session_clients ADD COLUMN user_id TEXT NOT NULL DEFAULT '';
ALTER TABLE session_clients ADD COLUMN ended_at BIGINT;
ALTER TABLE session_clients ADD COLUMN told TEXT NOT NULL DEFAULT '';
CREATE INDEX session_clients_user ON session_clients (user_id);
