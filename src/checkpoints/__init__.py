"""How checkpoints are laid out in rows, committed in groups, and what of them may be deleted; for `d1_checkpointer`."""
