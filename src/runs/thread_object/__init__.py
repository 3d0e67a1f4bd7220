"""What a thread's Durable Object does: executes its runs, one at a time, and serves the streams of their followers."""
