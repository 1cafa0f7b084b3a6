-- directory: the list of people by how many passkeys they have
CREATE INDEX users_passkeys ON users ((passkeys + 0), id) WHERE deleted_at IS NULL AND kind = 'person';
