"""The runner of LangGraph's conformance suite for checkpoint savers."""

#: Tests by capability in langgraph-checkpoint-conformance 0.0.2; a suite that runs fewer proves less.
TESTS = {
    "put": 17,
    "put_writes": 10,
    "get_tuple": 10,
    "list": 16,
    "delete_thread": 5,
    "delete_for_runs": 7,
    "copy_thread": 8,
    "prune": 8,
}
