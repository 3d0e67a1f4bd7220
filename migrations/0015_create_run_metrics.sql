-- What `GET /metrics` says of runs that have ended, which may be gone themselves: sums, each added to in the batch that
-- ended a run. `version` is the Worker version that ended it; `status` may also be `rollback`.

CREATE TABLE run_metrics (
    graph_id        TEXT    NOT NULL,
    version         TEXT    NOT NULL,
    status          TEXT    NOT NULL,
    -- When the last run was added; sweeps what has not been in use for long.
    updated_at      TEXT    NOT NULL,
    runs            INTEGER NOT NULL,
    -- Runs by how long they waited and executed: JSON arrays, a number for each bucket of src/tables/run_metrics.py.
    waits           TEXT    NOT NULL,
    wait_seconds    REAL    NOT NULL,
    executions      TEXT    NOT NULL,
    execution_seconds REAL  NOT NULL,
    supersteps      INTEGER NOT NULL,
    retries         INTEGER NOT NULL,
    recovery_seconds REAL   NOT NULL,
    d1_batches      INTEGER NOT NULL,
    d1_rows_read    INTEGER NOT NULL,
    d1_rows_written INTEGER NOT NULL,
    d1_seconds      REAL    NOT NULL,
    PRIMARY KEY (graph_id, version, status)
) WITHOUT ROWID;
