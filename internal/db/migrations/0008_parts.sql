-- directory: the list of people by how many passkeys they have
CREATE INDEX users_passkeys ON users ((passkeys + 0), id) WHERE deleted_at IS NULL AND kind = 'person';
CREATE INDEX users_several ON users (id) WHERE passkeys > 1 AND deleted_at IS NULL AND kind = 'person';

-- audit: the key with which a program did it, and its name as it was then
ALTER TABLE audit ADD COLUMN key_id TEXT;
ALTER TABLE audit ADD COLUMN key_name TEXT;
CREATE INDEX audit_key ON audit (key_id, at, id) WHERE key_id IS NOT NULL;

-- directory: what a service account is for; the list of them in each order, and those of an owner
ALTER TABLE users ADD COLUMN description TEXT;
CREATE INDEX users_services ON users (username_key, id) WHERE kind = 'service' AND deleted_at IS NULL;
CREATE INDEX users_services_name ON users (display_key, id) WHERE kind = 'service' AND deleted_at IS NULL;
CREATE INDEX users_services_made ON users (created_at, id) WHERE kind = 'service' AND deleted_at IS NULL;
CREATE INDEX users_owner ON users (owner_id) WHERE owner_id IS NOT NULL;
