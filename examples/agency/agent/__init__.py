"""A small editorial agency as a LangGraph graph."""
