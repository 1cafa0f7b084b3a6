-- What programs need: the API, the command line, and moving in and out.

-- who answers for an account that is no person; NULL for people
ALTER TABLE users ADD COLUMN owner_id TEXT;
