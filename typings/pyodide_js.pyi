# The runtime itself, seen from Python; `bindings/` alone looks.
from typing import Any

def __getattr__(name: str) -> Any: ...
