-- Text is compared by its bytes, as SQLite does: pages that are sorted by a key
-- come out the same on both engines, and an update of the system's C library,
-- which may change the order of a language, cannot break an index.
DO $$
DECLARE
    t RECORD;
BEGIN
    FOR t IN
        SELECT c.relname AS name,
               string_agg(format('ALTER COLUMN %I TYPE text COLLATE "C"', a.attname), ', ' ORDER BY a.attnum) AS columns
        FROM pg_attribute a
        JOIN pg_class c ON c.oid = a.attrelid
        WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'r'
          AND a.attnum > 0 AND NOT a.attisdropped AND a.atttypid = 'text'::regtype
          AND a.attcollation <> '"C"'::regcollation
        GROUP BY c.relname
    LOOP
        EXECUTE format('ALTER TABLE %I %s', t.name, t.columns);
    END LOOP;
END
$$;
