"""The JavaScript edge: one file for each port. No JavaScript value leaves this package."""
