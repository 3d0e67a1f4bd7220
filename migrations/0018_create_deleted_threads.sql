-- Threads that are gone while their objects may still have the events of their runs. Written in the transaction that
-- deletes the thread; a row goes when the object has taken note.
CREATE TABLE deleted_threads (
    thread_id TEXT NOT NULL PRIMARY KEY
) WITHOUT ROWID;
