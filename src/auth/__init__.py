"""Who calls, and which rows they may read and write."""
