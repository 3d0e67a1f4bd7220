"""The glue's adaptation fails loudly when it does not find what it expects."""

import pytest

from tools import paths, pyodide_bundle
from tools.errors import SetupError
from tools.pyodide_bundle import Patch


@pytest.fixture(scope="module")
def glue() -> str:
    """The glue of the installed Pyodide."""
    return (paths.NODE_MODULES / "pyodide" / "pyodide.asm.mjs").read_text()


def test_the_installed_glue_is_adapted_everywhere(glue: str) -> None:
    adapted = pyodide_bundle.adapt_glue(glue)
    for forbidden in ("new WebAssembly.Module(", "WebAssembly.instantiate(", "Date.now", "crypto.getRandomValues"):
        assert forbidden not in adapted
    assert adapted.startswith("import { addEventListener")
    assert "export { _createPyodideModule }" in adapted


def test_another_number_of_places_is_refused() -> None:
    with pytest.raises(SetupError, match="was found 1 times, expected 2"):
        pyodide_bundle.adapt_glue("Date.now()", [Patch(pattern=r"Date\.now", replacement="now", places=2)])


def test_the_bundle_is_one_message_with_three_internal_modules() -> None:
    message = pyodide_bundle.encode_bundle(glue="glue", wasm=b"wasm", stdlib=b"zip")
    assert int.from_bytes(message[:4], "little") + 1 == 1  # one segment
    for name in (b"pyodide.asm\0", b"pyodide.asm.wasm\0", b"python_stdlib.zip\0"):
        assert b"pyodideRuntime-internal:" + name in message
