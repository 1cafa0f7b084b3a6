-- The log by pairs of what is asked for together, and the names by which it is searched.
CREATE INDEX audit_user_event ON audit (user_id, event, at, id);
CREATE INDEX audit_user_client ON audit (user_id, client_id, at, id);
CREATE INDEX audit_client_event ON audit (client_id, event, at, id);
-- By time alone, for statements that say so: whoever asks for an event must not be led along
-- all others because that event used to be frequent.
DROP INDEX audit_at;
CREATE INDEX audit_time ON audit (at, id) WHERE id <> '';
-- Most deeds are about whoever does them: those are found by user_id.
DROP INDEX audit_actor;
CREATE INDEX audit_acting ON audit (actor_id, at, id) WHERE actor_id <> COALESCE(user_id, '');
CREATE INDEX audit_acting_event ON audit (actor_id, event, at, id) WHERE actor_id <> COALESCE(user_id, '');
CREATE INDEX audit_address ON audit (address, at, id);
CREATE INDEX audit_via ON audit (via, at, id) WHERE via <> 'page';
CREATE INDEX audit_request ON audit (request_id, at, id) WHERE request_id <> '';
CREATE TABLE audit_names (
    kind    TEXT NOT NULL,
    id      TEXT NOT NULL,
    name    TEXT NOT NULL,
    gone_at BIGINT,
    PRIMARY KEY (kind, id)
);
CREATE INDEX audit_names_gone ON audit_names (gone_at) WHERE gone_at IS NOT NULL;
CREATE TABLE audit_words (
    word TEXT NOT NULL,
    kind TEXT NOT NULL,
    id   TEXT NOT NULL,
    PRIMARY KEY (word, kind, id)
);
CREATE INDEX audit_words_id ON audit_words (kind, id);
