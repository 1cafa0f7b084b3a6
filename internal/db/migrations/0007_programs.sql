-- What programs need: the API, the command line, and moving in and out.

-- a creation that a program may repeat is done once: what was answered to its key
CREATE TABLE replies (
    user_id    TEXT NOT NULL,
    key_hash   BYTEA NOT NULL,
    asked_hash BYTEA NOT NULL,
    status     BIGINT NOT NULL,
    claim      TEXT NOT NULL,
    sealed     BYTEA,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (user_id, key_hash)
);
CREATE INDEX replies_expire ON replies (expires_at);

-- a claim as a program wrote it, where that is not how we would: {"name": "text"}
ALTER TABLE users ADD COLUMN claim_texts TEXT;
ALTER TABLE user_groups ADD COLUMN claim_texts TEXT;

-- where clients want to hear of accounts (SCIM), as it came from another house
CREATE TABLE scim_providers (
    id             TEXT PRIMARY KEY,
    client_id      TEXT NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
    endpoint       TEXT NOT NULL,
    token          BYTEA NOT NULL,
    created_at     BIGINT NOT NULL,
    last_synced_at BIGINT
);
CREATE INDEX scim_providers_client ON scim_providers (client_id);
