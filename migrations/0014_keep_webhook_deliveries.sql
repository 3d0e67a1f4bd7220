-- A run can end more than once (somebody lets it run again), and each end is a delivery of its own: tried for a day, and
-- shown for a while after that. SQLite changes no primary key, so the rows move; statements of the release before name a
-- run and nothing that is new here, so they go on working.
CREATE TABLE webhook_deliveries (
    run_id       TEXT    NOT NULL,
    -- What the receiver tells doubles apart by; '' in a row of the release before stands for the run's id.
    delivery_id  TEXT    NOT NULL DEFAULT '',
    thread_id    TEXT    NOT NULL,
    -- When it is to be sent next; NULL when it was delivered, and when it was given up.
    due_at       TEXT,
    delivered_at TEXT,
    -- When the end of its run, or the last wish to deliver it again, was stored, and how often it was sent since then.
    since        TEXT,
    attempts     INTEGER NOT NULL DEFAULT 0,
    url          TEXT    NOT NULL,
    -- JSON: `at` of each attempt, and what came of it.
    history      TEXT    NOT NULL DEFAULT '[]',
    -- The run's, which say whose it is.
    metadata     TEXT    NOT NULL DEFAULT '{}',
    -- JSON; with body_parts > 0 it is 'null' here and the JSON is in large_texts as webhook:<delivery>. Gone once delivered.
    body_parts   INTEGER NOT NULL DEFAULT 0,
    body         TEXT    NOT NULL,
    PRIMARY KEY (run_id, delivery_id)
) WITHOUT ROWID;

INSERT INTO webhook_deliveries (run_id, thread_id, due_at, since, attempts, url, body_parts, body)
SELECT run_id, thread_id, due_at, due_at, attempts, url, body_parts, body FROM webhooks;

DROP TABLE webhooks;

ALTER TABLE webhook_deliveries RENAME TO webhooks;

-- For the sweeper, for lists of what is still tried or was given up, and for delivering all of the latter again. An attempt
-- that fails changes nothing in it.
CREATE INDEX webhooks_undelivered ON webhooks (run_id) WHERE delivered_at IS NULL;
