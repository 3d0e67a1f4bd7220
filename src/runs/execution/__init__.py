"""One slice of a claimed run: its graph is executed, and what comes of it is an `Outcome`."""
