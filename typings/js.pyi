# The JavaScript globals of a Worker. Anything may be there; `bindings/` converts at once.
from typing import Any

def __getattr__(name: str) -> Any: ...
