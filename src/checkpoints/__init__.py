"""The layout of checkpoints in rows, group commits, and which checkpoints may be deleted; used by `d1_checkpointer`."""
