"""Frees the memory in which compiled libraries leave the bytes of their files on the wasm heap.

Emscripten's `dlopen` reads a library's file into the heap and leaves it there after V8 has compiled it: 5 MiB, most of
them pydantic's. Nothing reads it again. workerd reads the file itself, even when it starts from a snapshot.
"""

from typing import Any, Final

from js import Object

#: Emscripten's `struct dso`: the offset, in words, of the file's address and size, and that, in bytes, of its path.
_FILE: Final = 7
_PATH: Final = 36

_WASM: Final = b"\0asm"


def forget_files() -> None:
    """Free the files of all loaded libraries. A block that does not look as expected is left alone."""
    from pyodide_js import _module  # noqa: PLC0415 - no snapshot can hold it

    for handle, library in Object.entries(_module.LDSO.loadedLibsByHandle):
        _forget_file(_module, int(handle), library.name)


def _forget_file(module: Any, handle: int, path: str) -> None:
    # Methods are bound before they are called: for `object.method()`, Pyodide keeps a reference to the object.
    words, free = module.HEAPU32.subarray, module._free
    name = path.encode() + b"\0"
    file = words(handle // 4 + _FILE, handle // 4 + _FILE + 2)
    address, size = file.to_py()
    if size and _read(module, handle + _PATH, len(name)) == name and _read(module, address, len(_WASM)) == _WASM:
        file[0] = file[1] = 0
        free(address)


def _read(module: Any, address: int, size: int) -> bytes:
    read = module.HEAPU8.slice
    return read(address, address + size).to_bytes()


forget_files()
