-- The one map of all tables. One file for SQLite and PostgreSQL: TEXT, BIGINT, BOOLEAN, BYTEA.
-- Times are microseconds since 1970 (UTC), durations are seconds, *_key columns are folded in Go.

-- settings
CREATE TABLE settings (
    id         BIGINT PRIMARY KEY CHECK (id = 1),
    value      TEXT NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE TABLE facts (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
);

-- audit
CREATE TABLE audit (
    id          TEXT PRIMARY KEY,
    at          BIGINT NOT NULL,
    event       TEXT NOT NULL,
    object_kind TEXT NOT NULL DEFAULT '',
    object_id   TEXT NOT NULL DEFAULT '',
    object_name TEXT NOT NULL DEFAULT '',
    user_id     TEXT,
    client_id   TEXT,
    actor_id    TEXT,
    actor_name  TEXT NOT NULL DEFAULT '',
    via         TEXT NOT NULL,
    address     TEXT NOT NULL DEFAULT '',
    country     TEXT NOT NULL DEFAULT '',
    city        TEXT NOT NULL DEFAULT '',
    user_agent  TEXT NOT NULL DEFAULT '',
    request_id  TEXT NOT NULL DEFAULT '',
    before      TEXT,
    after       TEXT,
    data        TEXT,
    sealed_in   TEXT
);
CREATE INDEX audit_at ON audit (at, id);
CREATE INDEX audit_user ON audit (user_id, at, id);
CREATE INDEX audit_client ON audit (client_id, at, id);
CREATE INDEX audit_event ON audit (event, at, id);
CREATE INDEX audit_object ON audit (object_kind, object_id, at, id);
CREATE INDEX audit_actor ON audit (actor_id, at, id);

-- jobs
CREATE TABLE jobs (
    id         TEXT PRIMARY KEY,
    kind       TEXT NOT NULL,
    body       TEXT NOT NULL,
    unique_key TEXT UNIQUE,
    run_at     BIGINT NOT NULL,
    tries      BIGINT NOT NULL DEFAULT 0,
    locked_to  BIGINT NOT NULL DEFAULT 0,
    rests      BOOLEAN NOT NULL DEFAULT FALSE,
    error      TEXT,
    created_at BIGINT NOT NULL
);
CREATE INDEX jobs_run_at ON jobs (rests, run_at);

-- directory
CREATE TABLE users (
    id              TEXT PRIMARY KEY,
    kind            TEXT NOT NULL DEFAULT 'person',
    username        TEXT NOT NULL,
    username_key    TEXT NOT NULL UNIQUE,
    email           TEXT,
    email_key       TEXT UNIQUE,
    email_verified  BOOLEAN NOT NULL DEFAULT FALSE,
    first_name      TEXT NOT NULL DEFAULT '',
    last_name       TEXT NOT NULL DEFAULT '',
    display_name    TEXT NOT NULL DEFAULT '',
    display_key     TEXT NOT NULL DEFAULT '',
    admin           BOOLEAN NOT NULL DEFAULT FALSE,
    locale          TEXT,
    theme           TEXT,
    claims          TEXT NOT NULL DEFAULT '{}',
    standard_claims TEXT NOT NULL DEFAULT '{}',
    picture_id      TEXT,
    ldap_id         TEXT UNIQUE,
    owner_id        TEXT,
    expires_at      BIGINT,
    created_at      BIGINT NOT NULL,
    updated_at      BIGINT NOT NULL,
    last_sign_in_at BIGINT,
    valid_from      BIGINT,
    disabled_at     BIGINT,
    deleted_at      BIGINT
);
CREATE INDEX users_display ON users (display_key, id);
CREATE INDEX users_created ON users (created_at, id);
CREATE TABLE user_words (
    word    TEXT NOT NULL,
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    PRIMARY KEY (word, user_id)
);
CREATE INDEX user_words_user ON user_words (user_id);
CREATE TABLE user_groups (
    id            TEXT PRIMARY KEY,
    name          TEXT NOT NULL,
    name_key      TEXT NOT NULL UNIQUE,
    friendly_name TEXT NOT NULL DEFAULT '',
    friendly_key  TEXT NOT NULL DEFAULT '',
    claims        TEXT NOT NULL DEFAULT '{}',
    ldap_id       TEXT UNIQUE,
    created_at    BIGINT NOT NULL,
    updated_at    BIGINT NOT NULL
);
CREATE TABLE user_group_members (
    group_id TEXT NOT NULL REFERENCES user_groups (id) ON DELETE CASCADE,
    user_id  TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    added_at BIGINT NOT NULL,
    PRIMARY KEY (group_id, user_id)
);
CREATE INDEX user_group_members_user ON user_group_members (user_id, group_id);

-- signin
CREATE TABLE passkeys (
    id              TEXT PRIMARY KEY,
    user_id         TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    credential_id   BYTEA NOT NULL UNIQUE,
    public_key      BYTEA NOT NULL,
    algorithm       BIGINT NOT NULL DEFAULT 0,
    attestation     TEXT NOT NULL DEFAULT 'none',
    aaguid          TEXT NOT NULL DEFAULT '',
    transports      TEXT NOT NULL DEFAULT '[]',
    attachment      TEXT NOT NULL DEFAULT '',
    backup_known    BOOLEAN NOT NULL DEFAULT TRUE,
    backup_eligible BOOLEAN NOT NULL DEFAULT FALSE,
    backup_state    BOOLEAN NOT NULL DEFAULT FALSE,
    sign_count      BIGINT NOT NULL DEFAULT 0,
    count_fell_at   BIGINT,
    name            TEXT NOT NULL,
    created_at      BIGINT NOT NULL,
    last_used_at    BIGINT,
    last_used_on    TEXT NOT NULL DEFAULT ''
);
CREATE INDEX passkeys_user ON passkeys (user_id, created_at, id);
CREATE TABLE ceremonies (
    id         BYTEA PRIMARY KEY,
    kind       TEXT NOT NULL,
    browser    BYTEA NOT NULL,
    user_id    TEXT,
    session_id TEXT,
    purpose    TEXT NOT NULL DEFAULT '',
    data       TEXT NOT NULL,
    profile    TEXT NOT NULL DEFAULT '{}',
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX ceremonies_expires ON ceremonies (expires_at);
CREATE TABLE sessions (
    id           TEXT PRIMARY KEY,
    handle       BYTEA NOT NULL UNIQUE,
    user_id      TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    auth_time    BIGINT NOT NULL,
    amr          TEXT NOT NULL,
    acr          TEXT NOT NULL,
    passkey_id   TEXT,
    user_agent   TEXT NOT NULL DEFAULT '',
    address      TEXT NOT NULL DEFAULT '',
    country      TEXT NOT NULL DEFAULT '',
    city         TEXT NOT NULL DEFAULT '',
    created_at   BIGINT NOT NULL,
    last_seen_at BIGINT NOT NULL,
    expires_at   BIGINT NOT NULL,
    ended_at     BIGINT,
    end_reason   TEXT
);
CREATE INDEX sessions_user ON sessions (user_id, last_seen_at, id);
CREATE INDEX sessions_expires ON sessions (expires_at);
CREATE TABLE step_ups (
    session_id TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    purpose    TEXT NOT NULL,
    at         BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (session_id, purpose)
);
CREATE TABLE login_codes (
    hash       BYTEA PRIMARY KEY,
    user_id    TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    browser    BYTEA,
    purpose    TEXT NOT NULL DEFAULT 'sign-in',
    created_by TEXT NOT NULL DEFAULT '',
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX login_codes_user ON login_codes (user_id);
CREATE INDEX login_codes_expires ON login_codes (expires_at);
CREATE TABLE attempts (
    key        TEXT PRIMARY KEY,
    count      BIGINT NOT NULL,
    since      BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX attempts_expires ON attempts (expires_at);

-- oidc
CREATE TABLE signing_keys (
    kid         TEXT PRIMARY KEY,
    alg         TEXT NOT NULL,
    state       TEXT NOT NULL,
    sealed      BYTEA NOT NULL,
    public      TEXT NOT NULL,
    origin      TEXT NOT NULL DEFAULT 'own',
    -- the longest lifetime of a token that the key may have signed
    longest     BIGINT NOT NULL DEFAULT 3600,
    created_at  BIGINT NOT NULL,
    active_at   BIGINT,
    retiring_at BIGINT,
    retired_at  BIGINT
);
-- one key of an algorithm signs, and one waits to
CREATE UNIQUE INDEX signing_keys_state ON signing_keys (alg, state) WHERE state IN ('active', 'next');
CREATE TABLE clients (
    id                     TEXT PRIMARY KEY,
    kind                   TEXT NOT NULL DEFAULT 'standard',
    name                   TEXT NOT NULL,
    name_key               TEXT NOT NULL,
    description            TEXT NOT NULL DEFAULT '',
    launch_url             TEXT NOT NULL DEFAULT '',
    public                 BOOLEAN NOT NULL DEFAULT FALSE,
    auth_method            TEXT NOT NULL DEFAULT '',
    pkce_required          BOOLEAN NOT NULL DEFAULT TRUE,
    pkce_seen              BOOLEAN NOT NULL DEFAULT FALSE,
    par_required           BOOLEAN NOT NULL DEFAULT FALSE,
    reauth_required        BOOLEAN NOT NULL DEFAULT FALSE,
    skip_consent           BOOLEAN NOT NULL DEFAULT FALSE,
    group_restricted       BOOLEAN NOT NULL DEFAULT FALSE,
    claims_at_userinfo     BOOLEAN NOT NULL DEFAULT FALSE,
    id_token_alg           TEXT NOT NULL DEFAULT 'RS256',
    access_token_alg       TEXT NOT NULL DEFAULT 'ES256',
    userinfo_alg           TEXT NOT NULL DEFAULT '',
    request_object_alg     TEXT NOT NULL DEFAULT '',
    assertion_alg          TEXT NOT NULL DEFAULT '',
    assertion_audience     TEXT NOT NULL DEFAULT 'strict',
    subject_type           TEXT NOT NULL DEFAULT 'public',
    sector                 TEXT NOT NULL DEFAULT '',
    refresh_issue          TEXT NOT NULL DEFAULT 'always',
    refresh_rotation       TEXT NOT NULL DEFAULT '',
    access_token_seconds   BIGINT NOT NULL DEFAULT 3600,
    id_token_seconds       BIGINT NOT NULL DEFAULT 3600,
    refresh_token_seconds  BIGINT NOT NULL DEFAULT 2592000,
    refresh_max_seconds    BIGINT NOT NULL DEFAULT 0,
    default_max_age        BIGINT,
    auth_time_required     BOOLEAN NOT NULL DEFAULT FALSE,
    default_acr_values     TEXT NOT NULL DEFAULT '[]',
    dpop_required          BOOLEAN NOT NULL DEFAULT FALSE,
    jwks                   TEXT,
    jwks_uri               TEXT NOT NULL DEFAULT '',
    federated              TEXT NOT NULL DEFAULT '[]',
    backchannel_logout     TEXT NOT NULL DEFAULT '',
    backchannel_needs_sid  BOOLEAN NOT NULL DEFAULT FALSE,
    frontchannel_logout    TEXT NOT NULL DEFAULT '',
    frontchannel_needs_sid BOOLEAN NOT NULL DEFAULT FALSE,
    initiate_login         TEXT NOT NULL DEFAULT '',
    client_uri             TEXT NOT NULL DEFAULT '',
    policy_uri             TEXT NOT NULL DEFAULT '',
    tos_uri                TEXT NOT NULL DEFAULT '',
    contacts               TEXT NOT NULL DEFAULT '[]',
    metadata               TEXT NOT NULL DEFAULT '{}',
    metadata_expires_at    BIGINT,
    registration_token     BYTEA,
    logo_id                TEXT,
    dark_logo_id           TEXT,
    created_by             TEXT NOT NULL DEFAULT '',
    created_at             BIGINT NOT NULL,
    updated_at             BIGINT NOT NULL,
    last_used_at           BIGINT,
    disabled_at            BIGINT,
    deleted_at             BIGINT
);
CREATE INDEX clients_name ON clients (name_key, id);
CREATE TABLE client_uris (
    client_id TEXT NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
    purpose   TEXT NOT NULL,
    uri       TEXT NOT NULL,
    kind      TEXT NOT NULL DEFAULT 'exact',
    position  BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (client_id, purpose, uri)
);
CREATE TABLE client_secrets (
    id           TEXT PRIMARY KEY,
    client_id    TEXT NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
    alg          TEXT NOT NULL,
    hash         BYTEA NOT NULL,
    prefix       TEXT NOT NULL DEFAULT '',
    created_by   TEXT NOT NULL DEFAULT '',
    created_at   BIGINT NOT NULL,
    last_used_at BIGINT,
    expires_at   BIGINT
);
CREATE INDEX client_secrets_client ON client_secrets (client_id, created_at, id);
CREATE TABLE client_groups (
    client_id TEXT NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
    group_id  TEXT NOT NULL REFERENCES user_groups (id) ON DELETE CASCADE,
    PRIMARY KEY (client_id, group_id)
);
CREATE INDEX client_groups_group ON client_groups (group_id, client_id);
CREATE TABLE consents (
    user_id      TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    client_id    TEXT NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
    scopes       TEXT NOT NULL,
    resources    TEXT NOT NULL DEFAULT '[]',
    created_at   BIGINT NOT NULL,
    updated_at   BIGINT NOT NULL,
    last_used_at BIGINT,
    PRIMARY KEY (user_id, client_id)
);
CREATE INDEX consents_client ON consents (client_id, user_id);
CREATE TABLE authorizations (
    id           BYTEA PRIMARY KEY,
    client_id    TEXT NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
    browser      BYTEA NOT NULL,
    params       TEXT NOT NULL,
    session_id   TEXT,
    consent_by   TEXT,
    consented_at BIGINT,
    selected_at  BIGINT,
    denied_at    BIGINT,
    done_at      BIGINT,
    created_at   BIGINT NOT NULL,
    expires_at   BIGINT NOT NULL
);
CREATE INDEX authorizations_expires ON authorizations (expires_at);
CREATE TABLE session_clients (
    session_id TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    client_id  TEXT NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
    sid        TEXT NOT NULL UNIQUE,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (session_id, client_id)
);
CREATE INDEX session_clients_client ON session_clients (client_id);
CREATE TABLE grants (
    id             TEXT PRIMARY KEY,
    kind           TEXT NOT NULL,
    user_id        TEXT REFERENCES users (id) ON DELETE CASCADE,
    client_id      TEXT NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
    session_id     TEXT,
    sid            TEXT NOT NULL DEFAULT '',
    offline        BOOLEAN NOT NULL DEFAULT FALSE,
    imported       BOOLEAN NOT NULL DEFAULT FALSE,
    scopes         TEXT NOT NULL,
    resources      TEXT NOT NULL DEFAULT '[]',
    claims         TEXT NOT NULL DEFAULT '{}',
    cnf            TEXT NOT NULL DEFAULT '',
    auth_time      BIGINT,
    amr            TEXT NOT NULL DEFAULT '[]',
    acr            TEXT NOT NULL DEFAULT '',
    refresh_hash   BYTEA UNIQUE,
    refresh_at     BIGINT,
    created_at     BIGINT NOT NULL,
    last_used_at   BIGINT,
    expires_at     BIGINT,
    revoked_at     BIGINT,
    revoked_reason TEXT
);
CREATE INDEX grants_user ON grants (user_id, client_id);
CREATE INDEX grants_client ON grants (client_id);
CREATE INDEX grants_session ON grants (session_id);
CREATE INDEX grants_expires ON grants (expires_at);
CREATE TABLE codes (
    hash           BYTEA PRIMARY KEY,
    grant_id       TEXT NOT NULL REFERENCES grants (id) ON DELETE CASCADE,
    client_id      TEXT NOT NULL,
    redirect_uri   TEXT NOT NULL,
    challenge      TEXT NOT NULL DEFAULT '',
    nonce          TEXT NOT NULL DEFAULT '',
    max_age_asked  BOOLEAN NOT NULL DEFAULT FALSE,
    browser        BYTEA,
    created_at     BIGINT NOT NULL,
    expires_at     BIGINT NOT NULL,
    used_at        BIGINT
);
CREATE INDEX codes_grant ON codes (grant_id);
CREATE INDEX codes_expires ON codes (expires_at);
CREATE TABLE spent_refresh_tokens (
    hash     BYTEA PRIMARY KEY,
    grant_id TEXT NOT NULL REFERENCES grants (id) ON DELETE CASCADE,
    spent_at BIGINT NOT NULL
);
CREATE INDEX spent_refresh_tokens_grant ON spent_refresh_tokens (grant_id);
CREATE TABLE revoked_tokens (
    jti        TEXT PRIMARY KEY,
    expires_at BIGINT NOT NULL
);
CREATE INDEX revoked_tokens_expires ON revoked_tokens (expires_at);
