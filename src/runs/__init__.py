"""The life of a run, as its rows tell it. What executes it, and what goes on around it, are the packages below."""
