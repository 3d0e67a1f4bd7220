-- What becomes of times at which nothing looked at the cron: they are passed over, one run makes up for all, or each runs.
ALTER TABLE crons ADD COLUMN on_missed TEXT NOT NULL DEFAULT 'latest' CHECK (on_missed IN ('skip', 'latest', 'all'));

-- What came of the times of crons. A row is written in the transaction that creates the run and moves the cron on, so its
-- key is what makes a time run once. A cron has few of them: writing one deletes the oldest.
CREATE TABLE cron_fires (
    cron_id         TEXT NOT NULL REFERENCES crons (cron_id) ON DELETE CASCADE,
    scheduled_at    TEXT NOT NULL,
    -- NULL, or the last of a row of times that were passed over together.
    scheduled_until TEXT,
    -- NULL when no run was created: then `reason` says why in a word, and `detail` in a sentence.
    run_id          TEXT,
    thread_id       TEXT,
    reason          TEXT,
    detail          TEXT,
    created_at      TEXT NOT NULL,
    PRIMARY KEY (cron_id, scheduled_at)
) WITHOUT ROWID;
