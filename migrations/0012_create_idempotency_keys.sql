-- What requests with an `Idempotency-Key` have made, so that a retry is answered with it. Written in the transaction
-- that made it; read and written only by src/tables/idempotency_keys.py. A row may go once it is old enough.

CREATE TABLE idempotency_keys (
    -- SHA-256 of who called and the key. Evenly spread, so a range of it is a share of all keys: what expires is found
    -- without an index on `created_at`, which would be a second row for each key.
    digest      TEXT NOT NULL PRIMARY KEY,
    -- SHA-256 of the request: the same key with another request is a mistake.
    fingerprint TEXT NOT NULL,
    -- JSON that names what was made.
    made        TEXT NOT NULL,
    created_at  TEXT NOT NULL
) WITHOUT ROWID;
