-- A run can end more than once (somebody lets it run again), and each end is a delivery of its own: tried for a day, and
-- shown for a while after that. SQLite changes no primary key, so the rows move; statements of the release before name a
-- run and nothing that is new here, so they go on working.
CREATE TABLE webhook_deliveries (
    run_id       TEXT    NOT NULL,
    -- What the receiver tells doubles apart by; '' in a row of the release before stands for the run's id.
    delivery_id  TEXT    NOT NULL DEFAULT '',
    thread_id    TEXT    NOT NULL,
    -- The run's, which say whose it is.
    metadata     TEXT    NOT NULL DEFAULT '{}',
    url          TEXT    NOT NULL,
    -- JSON; with body_parts > 0 it is 'null' here and the JSON is in large_texts as webhook:<delivery>. Gone once delivered.
    body         TEXT    NOT NULL,
    body_parts   INTEGER NOT NULL DEFAULT 0,
    -- When it is to be sent next; NULL when it was delivered, and when it was given up.
    due_at       TEXT,
    delivered_at TEXT,
    -- When the end of its run, or the last wish to deliver it again, was stored, and how often it was sent since then.
    since        TEXT,
    attempts     INTEGER NOT NULL DEFAULT 0,
    -- JSON: `at` of each attempt, and what came of it.
    history      TEXT    NOT NULL DEFAULT '[]',
    PRIMARY KEY (run_id, delivery_id)
) WITHOUT ROWID;

INSERT INTO webhook_deliveries (run_id, thread_id, url, body, body_parts, due_at, since, attempts)
SELECT run_id, thread_id, url, body, body_parts, due_at, due_at, attempts FROM webhooks;

DROP TABLE webhooks;

ALTER TABLE webhook_deliveries RENAME TO webhooks;

-- For the sweeper, and for lists of those that are still tried; an attempt changes nothing in it.
CREATE INDEX webhooks_pending ON webhooks (run_id) WHERE due_at IS NOT NULL;

-- For the list of those that were given up, and for delivering all of them again.
CREATE INDEX webhooks_dead ON webhooks (run_id) WHERE due_at IS NULL AND delivered_at IS NULL;
