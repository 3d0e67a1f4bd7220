-- Timestamps are ISO texts that sort in time order; columns named after JSON objects hold compact JSON text.

CREATE TABLE assistants (
    assistant_id TEXT    NOT NULL PRIMARY KEY,
    graph_id     TEXT    NOT NULL,
    name         TEXT    NOT NULL,
    description  TEXT,
    config       TEXT    NOT NULL,
    context      TEXT    NOT NULL,
    metadata     TEXT    NOT NULL,
    version      INTEGER NOT NULL,
    created_at   TEXT    NOT NULL,
    updated_at   TEXT    NOT NULL
) WITHOUT ROWID;

-- Serves POST /assistants/search in its default order.
CREATE INDEX assistants_by_created_at ON assistants (created_at DESC, assistant_id DESC);

CREATE TABLE threads (
    thread_id        TEXT    NOT NULL PRIMARY KEY,
    status           TEXT    NOT NULL CHECK (status IN ('idle', 'busy', 'interrupted', 'error')),
    metadata         TEXT    NOT NULL,
    config           TEXT    NOT NULL,
    -- The state after the last run; NULL before the first. With values_parts > 0 it is in large_texts instead.
    values_json      TEXT,
    values_parts     INTEGER NOT NULL DEFAULT 0,
    interrupts       TEXT    NOT NULL DEFAULT '{}',
    error            TEXT,
    created_at       TEXT    NOT NULL,
    updated_at       TEXT    NOT NULL,
    state_updated_at TEXT    NOT NULL,
    -- The version of the shape of this row's JSON.
    format           INTEGER NOT NULL
) WITHOUT ROWID;

-- Serves POST /threads/search in its default order.
CREATE INDEX threads_by_updated_at ON threads (updated_at DESC, thread_id DESC);

CREATE TABLE runs (
    thread_id          TEXT    NOT NULL,
    run_id             TEXT    NOT NULL,
    assistant_id       TEXT    NOT NULL,
    status             TEXT    NOT NULL
        CHECK (status IN ('pending', 'running', 'success', 'error', 'timeout', 'interrupted')),
    -- How often the run was started; the fencing token of everything that is written for it.
    attempt            INTEGER NOT NULL DEFAULT 0,
    multitask_strategy TEXT    NOT NULL,
    metadata           TEXT    NOT NULL,
    -- With kwargs_parts > 0 it is 'null' here and the JSON is in large_texts.
    kwargs             TEXT    NOT NULL,
    kwargs_parts       INTEGER NOT NULL DEFAULT 0,
    error              TEXT,
    created_at         TEXT    NOT NULL,
    updated_at         TEXT    NOT NULL,
    -- NULL, or the time before which a pending run does not start (after_seconds).
    due_at             TEXT,
    format             INTEGER NOT NULL,
    PRIMARY KEY (thread_id, run_id)
) WITHOUT ROWID;

-- Serves claiming, admission and the sweeper. It has the key only, so that claiming a run does not write to it.
CREATE INDEX runs_unfinished ON runs (thread_id, run_id) WHERE status IN ('pending', 'running');

-- JSON over the size of a row, in parts: run:<run_id> and thread:<thread_id>.
CREATE TABLE large_texts (
    owner TEXT    NOT NULL,
    part  INTEGER NOT NULL,
    text  TEXT    NOT NULL,
    PRIMARY KEY (owner, part)
) WITHOUT ROWID;
