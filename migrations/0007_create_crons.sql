-- What starts runs by the clock.

CREATE TABLE crons (
    cron_id          TEXT    NOT NULL PRIMARY KEY,
    assistant_id     TEXT    NOT NULL,
    -- NULL for a cron whose every run has a thread of its own. No cron outlives its thread.
    thread_id        TEXT    REFERENCES threads (thread_id) ON DELETE CASCADE,
    -- Whose runs these are: their identity, and all that `authenticate` said about them (NULL for nobody in particular).
    user_id          TEXT    NOT NULL,
    user             TEXT,
    schedule         TEXT    NOT NULL,
    timezone         TEXT,
    end_time         TEXT,
    payload          TEXT    NOT NULL,
    metadata         TEXT    NOT NULL,
    on_run_completed TEXT    CHECK (on_run_completed IN ('delete', 'keep')),
    enabled          INTEGER NOT NULL,
    -- The time of the next run that has not been created; creating it and moving on is one transaction.
    next_run_date    TEXT    NOT NULL,
    created_at       TEXT    NOT NULL,
    updated_at       TEXT    NOT NULL
) WITHOUT ROWID;

-- Serves each minute's look at what is due; holds no cron that will never run again.
CREATE INDEX crons_due ON crons (next_run_date)
WHERE enabled = 1 AND (end_time IS NULL OR next_run_date <= end_time);

-- Serves POST /runs/crons/search in its default order.
CREATE INDEX crons_by_created_at ON crons (created_at DESC, cron_id DESC);

-- Serves the deletion of a thread, and searches by thread.
CREATE INDEX crons_by_thread ON crons (thread_id);
