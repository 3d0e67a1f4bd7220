-- What somebody asked a run to do before it ended by itself: stop where it is, or leave as if it had never been.
-- `error` has the reason then.
ALTER TABLE runs ADD COLUMN cancel_action TEXT CHECK (cancel_action IN ('interrupt', 'rollback'));

-- When the run began to execute for the first time; NULL before.
ALTER TABLE runs ADD COLUMN started_at TEXT;

UPDATE runs SET started_at = updated_at WHERE status = 'running';

-- Webhooks that are still to be delivered, written in the batch that ended their run, which may be gone itself.
CREATE TABLE webhooks (
    run_id     TEXT    NOT NULL PRIMARY KEY,
    thread_id  TEXT    NOT NULL,
    -- How often it was sent, and when it is to be sent next.
    attempts   INTEGER NOT NULL DEFAULT 0,
    due_at     TEXT    NOT NULL,
    url        TEXT    NOT NULL,
    -- JSON; with body_parts > 0 it is 'null' here and the JSON is in large_texts as webhook:<run_id>.
    body       TEXT    NOT NULL,
    body_parts INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
