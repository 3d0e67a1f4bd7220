"""What a thread's Durable Object does: its runs, one at a time, and the streams of those who follow them."""
