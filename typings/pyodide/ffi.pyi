# What `bindings/` uses of Pyodide 314's foreign function interface; the published stubs are older.
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar

T = TypeVar("T")

class JsException(Exception):
    name: str
    message: str
    stack: str

#: JavaScript's null; None is `undefined`.
jsnull: Final[Any]

def run_sync(obj: Awaitable[T], /) -> T: ...
def create_proxy(obj: object, /) -> Any: ...
def create_once_callable(obj: Callable[..., object], /) -> Any: ...
def to_js(obj: object, /, *, dict_converter: Callable[..., object] | None = None) -> Any: ...
