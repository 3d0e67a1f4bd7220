"""Changes of a thread without a run: updates of its state, pruning, deletion."""
