"""Compiled libraries inside workerd: the bytes of their files do not stay on the heap."""

import pydantic_core
from js import Object
from pyodide_js import _module

from bindings import native_libraries


async def test_no_file_of_a_library_is_left(database):
    native_libraries.forget_files()
    libraries = {library.name: int(handle) for handle, library in Object.entries(_module.LDSO.loadedLibsByHandle)}
    assert pydantic_core.__file__.rpartition("/")[0] in {name.rpartition("/")[0] for name in libraries}
    for handle in libraries.values():
        assert _module.HEAPU32.subarray(handle // 4 + 7, handle // 4 + 9).to_py().tolist() == [0, 0]
    assert pydantic_core.from_json("[1]") == [1]
