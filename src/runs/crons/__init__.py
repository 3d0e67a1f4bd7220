"""When crons run."""
