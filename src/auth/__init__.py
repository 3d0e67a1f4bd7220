"""Who calls, and what they may touch."""
