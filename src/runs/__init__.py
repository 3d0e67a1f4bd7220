"""The life of a run, as its rows tell it. The packages below execute it, and do what happens around it."""
