"""The Agent2Agent protocol: an assistant is an agent, a thread a context, a run a task. Versions 0.3 and 1.0."""
