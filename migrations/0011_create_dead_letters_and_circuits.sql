-- What waits for an operator: runs that gave up, and queue messages that could not be delivered.
CREATE TABLE dead_letters (
    -- For a message that names no run, the message's own id.
    run_id     TEXT NOT NULL PRIMARY KEY,
    -- NULL for a message that names no run.
    thread_id  TEXT,
    graph_id   TEXT,
    -- {"error", "message"}; JSON.
    reason     TEXT NOT NULL,
    -- The body of a message that could not be delivered, as text; NULL for a run that gave up.
    message    TEXT,
    created_at TEXT NOT NULL
) WITHOUT ROWID;

-- Serve GET /runs/dead-letters, of all graphs or of one, and the first the sweep of what is too old.
CREATE INDEX dead_letters_by_created_at ON dead_letters (created_at DESC, run_id DESC);
CREATE INDEX dead_letters_by_graph ON dead_letters (graph_id, created_at DESC, run_id DESC);

-- How many runs of a graph gave up one after the other, executed by one Worker version. A success deletes the row.
CREATE TABLE circuits (
    graph_id     TEXT    NOT NULL,
    version      TEXT    NOT NULL,
    failures     INTEGER NOT NULL,
    failed_at    TEXT    NOT NULL,
    -- Since when runs of the graph that are cut off give up at once; NULL while they do not.
    opened_at    TEXT,
    -- The run that is retried all the same, to find out whether the graph is well again.
    probe_run_id TEXT,
    probed_at    TEXT,
    PRIMARY KEY (graph_id, version)
) WITHOUT ROWID;
