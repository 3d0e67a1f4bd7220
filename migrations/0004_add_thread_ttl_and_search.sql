-- How long the thread lives after its last activity, and what becomes of it then; NULL for ever.
ALTER TABLE threads ADD COLUMN ttl_minutes REAL;
ALTER TABLE threads ADD COLUMN ttl_strategy TEXT CHECK (ttl_strategy IN ('delete', 'keep_latest'));
ALTER TABLE threads ADD COLUMN expires_at TEXT;

-- Serves the sweep of expired threads. A thread without a TTL has no row in it.
CREATE INDEX threads_by_expires_at ON threads (expires_at) WHERE expires_at IS NOT NULL;

-- Serves POST /threads/search and /threads/count: in the default order by its first columns, any other order and every
-- filter but `values` by reading it from end to end. It replaces the index on its first columns, which each change of a
-- thread wrote as well, so it costs no row more (docs/decisions/0011-one-index-for-searching-threads.md).
CREATE INDEX threads_search
    ON threads (updated_at DESC, thread_id DESC, status, created_at, state_updated_at, metadata);
DROP INDEX threads_by_updated_at;
