"""LangGraph's store: what graphs remember across threads."""
