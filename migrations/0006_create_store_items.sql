-- What graphs remember across threads. Written and read only by src/store/ (src/tables/store_items.py).

CREATE TABLE store_items (
    item_id     INTEGER NOT NULL PRIMARY KEY,
    -- The labels as a JSON array without its closing bracket, so that a prefix of labels is a prefix of the text.
    namespace   TEXT    NOT NULL,
    key         TEXT    NOT NULL,
    created_at  TEXT    NOT NULL,
    updated_at  TEXT    NOT NULL,
    -- NULL, or how long the item lives after each write and each read that refreshes it, and until when that is.
    ttl_minutes REAL,
    expires_at  TEXT,
    -- Last: whoever only sorts or compares the columns before it reads no large value.
    value       TEXT    NOT NULL,
    -- Serves every read: an item, a prefix of namespaces, the next namespace.
    UNIQUE (namespace, key)
);

-- Serves the sweep of expired items.
CREATE INDEX store_items_by_expiry ON store_items (expires_at) WHERE expires_at IS NOT NULL;

-- The words of each item that a search by query may find; rowid is the item_id. `scope` holds a word for each prefix of
-- the item's namespace, so that a search within one walks only the items there.
CREATE VIRTUAL TABLE store_texts USING fts5 (scope, text, tokenize = 'porter unicode61 remove_diacritics 2');

-- The embeddings of an item, one for each text that was embedded: 32-bit floats, little-endian, in base64.
CREATE TABLE store_vectors (
    item_id INTEGER NOT NULL,
    part    INTEGER NOT NULL,
    vector  TEXT    NOT NULL,
    PRIMARY KEY (item_id, part)
) WITHOUT ROWID;
