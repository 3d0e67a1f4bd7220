"""What a `langgraph.json` says besides its graphs."""
