-- What nodes with a cache policy wrote, so that they need not run again. Written and read only by src/d1_cache.py
-- (src/tables/node_cache.py). Any row may go at any time.

CREATE TABLE node_cache (
    -- A digest of the project's files: code that changed does not see what older code wrote.
    release    TEXT    NOT NULL,
    namespace  TEXT    NOT NULL,
    key        TEXT    NOT NULL,
    -- How the value was serialised, and its bytes.
    type       TEXT    NOT NULL,
    value      BLOB    NOT NULL,
    -- Epoch milliseconds.
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (release, namespace, key)
) WITHOUT ROWID;

-- Serves the sweep of expired entries.
CREATE INDEX node_cache_by_expiry ON node_cache (expires_at);
