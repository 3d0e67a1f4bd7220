"""The sections of `langgraph.json` other than its graphs."""
