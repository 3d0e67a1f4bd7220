"""The graphs of the project: loading them and describing them."""
