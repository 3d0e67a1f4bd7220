"""Benchmarks of a running server over HTTP, next to the same graphs run bare in this process."""
