-- What LangGraph remembers of a thread. Written and read only by src/d1_checkpointer.py (src/tables/checkpoints.py).
--
-- Every table is WITHOUT ROWID and has no second index, so that each INSERT is billed as one row. Wide rows cost page
-- reads in return; all reads are by primary key or by a prefix of it.

-- One row per checkpoint: its JSON body holds small values inline and, under "blobs", the versions of the others.
CREATE TABLE checkpoints (
    thread_id TEXT NOT NULL,
    checkpoint_ns TEXT NOT NULL,
    checkpoint_id TEXT NOT NULL,
    parent_checkpoint_id TEXT,
    format INTEGER NOT NULL,
    checkpoint TEXT NOT NULL,
    metadata TEXT NOT NULL,
    PRIMARY KEY (thread_id, checkpoint_ns, checkpoint_id)
) WITHOUT ROWID;

-- One row per version of a channel's value (more only if it is larger than a row may be): a channel that did not
-- change is not written again, and a channel without a value has no row. With a `base`, the value is what was appended
-- to that version of the channel.
CREATE TABLE checkpoint_blobs (
    thread_id TEXT NOT NULL,
    checkpoint_ns TEXT NOT NULL,
    channel TEXT NOT NULL,
    version TEXT NOT NULL,
    part INTEGER NOT NULL,
    format INTEGER NOT NULL,
    type TEXT NOT NULL,
    base TEXT,
    value BLOB NOT NULL,
    PRIMARY KEY (thread_id, checkpoint_ns, channel, version, part)
) WITHOUT ROWID;

-- One row per call that stored writes of a task: `value` is the writes' bytes one after the other, `entries` (on part 0)
-- says which. `seq` counts the calls of one task on one checkpoint.
CREATE TABLE checkpoint_writes (
    thread_id TEXT NOT NULL,
    checkpoint_ns TEXT NOT NULL,
    checkpoint_id TEXT NOT NULL,
    task_id TEXT NOT NULL,
    seq INTEGER NOT NULL,
    part INTEGER NOT NULL,
    format INTEGER NOT NULL,
    run_id TEXT,
    task_path TEXT NOT NULL,
    entries TEXT,
    value BLOB NOT NULL,
    PRIMARY KEY (thread_id, checkpoint_ns, checkpoint_id, task_id, seq, part)
) WITHOUT ROWID;
