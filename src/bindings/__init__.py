"""The JavaScript edge: one file for each port, and no JavaScript value passes it."""
