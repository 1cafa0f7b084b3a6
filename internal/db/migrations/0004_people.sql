-- The list of people, in each of its orders and for each of its filters.
CREATE INDEX users_email ON users (COALESCE(email_key, ''), id) WHERE deleted_at IS NULL AND kind = 'person';
CREATE INDEX users_seen ON users (COALESCE(last_sign_in_at, 0), id) WHERE deleted_at IS NULL AND kind = 'person';
CREATE INDEX users_people ON users (disabled_at, expires_at, COALESCE(last_sign_in_at, 0), admin, id) WHERE deleted_at IS NULL AND kind = 'person';
CREATE INDEX users_admins ON users (id) WHERE admin AND deleted_at IS NULL AND kind = 'person';
CREATE INDEX users_deleted ON users (deleted_at, id) WHERE deleted_at IS NOT NULL;

-- A search by beginnings is answered from one index: each person once, in the order of their names.
ALTER TABLE user_words ADD COLUMN display_key TEXT NOT NULL DEFAULT '';
-- how many characters a word shares with the one before it among those of the same person
ALTER TABLE user_words ADD COLUMN shared BIGINT NOT NULL DEFAULT 0;
CREATE INDEX user_words_user_word ON user_words (user_id, word);
DROP INDEX user_words_user;
DELETE FROM user_words WHERE user_id IN (SELECT id FROM users WHERE deleted_at IS NOT NULL OR kind <> 'person');
UPDATE user_words SET
    display_key = (SELECT u.display_key FROM users u WHERE u.id = user_words.user_id),
    shared = (WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 64)
        SELECT COALESCE(max(n), 0) FROM numbers WHERE substr(user_words.word, 1, n) = substr(
            (SELECT max(v.word) FROM user_words v WHERE v.user_id = user_words.user_id AND v.word < user_words.word), 1, n));
CREATE INDEX user_words_found ON user_words (word, shared, display_key, user_id);
