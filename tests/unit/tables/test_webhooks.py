"""The table `webhooks`, as the release before wrote it, and still writes it while a new release is deployed."""

import sqlite3

from tests.support.sqlite_database import MIGRATIONS

OWN = "0014_keep_webhook_deliveries.sql"

#: Statements of that release.
INSERT = "INSERT INTO webhooks (run_id, thread_id, due_at, url, body, body_parts) SELECT ?, 't', '1', 'u', '{}', 0"
TAKE = """
UPDATE webhooks SET attempts = attempts + 1, due_at = ? WHERE run_id = ? AND due_at <= ?
RETURNING run_id, thread_id, attempts, url, body, body_parts
"""
OVERDUE = "SELECT run_id FROM webhooks WHERE run_id > ? AND due_at < ? ORDER BY run_id LIMIT ?"

#: What it finds of the new one's.
SETTLED = """
INSERT INTO webhooks (run_id, delivery_id, thread_id, url, body, delivered_at) VALUES (?, 'd', 't', 'u', 'null', ?)
"""


def before_the_migration() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    for migration in sorted(MIGRATIONS.glob("*.sql")):
        if migration.name < OWN:
            connection.executescript(migration.read_text())
    return connection


def test_what_was_to_be_delivered_is_delivered_after_the_migration() -> None:
    connection = before_the_migration()
    connection.execute(INSERT, ("moved",))
    connection.executescript((MIGRATIONS / OWN).read_text())
    rows = connection.execute("SELECT run_id, delivery_id, due_at, since, attempts, body FROM webhooks").fetchall()
    assert rows == [("moved", "", "1", "1", 0, "{}")]


def test_the_release_before_goes_on_after_the_migration() -> None:
    connection = before_the_migration()
    connection.executescript((MIGRATIONS / OWN).read_text())
    for run_id, delivered_at in (("delivered", "1"), ("given up", None)):
        connection.execute(SETTLED, (run_id, delivered_at))
    connection.execute(INSERT, ("new",))
    assert connection.execute(OVERDUE, ("", "2", 10)).fetchall() == [("new",)]
    assert connection.execute(TAKE, ("5", "new", "2")).fetchall() == [("new", "t", 1, "u", "{}", 0)]
    assert connection.execute(TAKE, ("5", "given up", "2")).fetchall() == []
    connection.execute("UPDATE webhooks SET due_at = ? WHERE run_id = ?", ("3", "new"))
    connection.execute("DELETE FROM webhooks WHERE run_id = ?", ("new",))
    assert connection.execute("SELECT COUNT(*) FROM webhooks").fetchone() == (2,)
