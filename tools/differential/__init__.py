"""Plays the same scripts on Superstep and on `langgraph dev`, and compares what went over the wire."""
