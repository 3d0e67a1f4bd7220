"""Assembles the Pyodide bundle that workerd loads, from the `pyodide` npm package alone.

workerd otherwise downloads a released bundle, which machines with nothing but package registries cannot. The name
`pyodide_dev.capnp.bin` is the one workerd reserves for a local bundle: it asks for no hash, only for the right Pyodide
version. The glue module is adapted as Cloudflare adapts it: what the sandbox forbids (compiling WebAssembly, `eval`) or
virtualises (clock, entropy, library files) goes through workerd's `builtin_wrappers`.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

import capnp

from tools import node_runtime, paths, progress
from tools.errors import SetupError

#: The one version that the pinned workerd accepts.
PYODIDE_VERSION: Final = "314.0.6"

BUNDLE_NAME: Final = "pyodide_dev.capnp.bin"

#: Raise it when the adaptation changes, so that existing bundles are assembled anew.
ADAPTATION: Final = 1

IMPORTS: Final = (
    "import { addEventListener, getRandomValues, location, monotonicDateNow, newWasmModule, patchedLoadLibData, "
    'wasmInstantiate } from "pyodide-internal:builtin_wrappers";\n'
    'const evalIsRefused = () => { throw new Error("eval is not available in a Worker"); };\n'
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Patch:
    """One textual change of the glue, with the number of places it must find."""

    pattern: str
    replacement: str
    places: int


PATCHES: Final = (
    Patch(pattern=r"new WebAssembly\.Module\(", replacement="newWasmModule(", places=4),
    Patch(pattern=r"WebAssembly\.instantiate\(", replacement="wasmInstantiate(", places=2),
    Patch(pattern=r"\bDate\.now\b", replacement="monotonicDateNow", places=22),
    Patch(pattern=r"\bcrypto\.getRandomValues\(", replacement="getRandomValues(Module,", places=1),
    Patch(
        pattern=r"function loadLibData\(\)\{.*?\}function getExports\(\)",
        replacement=(
            "function loadLibData(){var libData=patchedLoadLibData(Module,libName,flags.rpath);"
            "return flags.loadAsync?Promise.resolve(libData):libData}function getExports()"
        ),
        places=1,
    ),
    Patch(
        pattern=r"\balignMemory\(getMemory\((metadata\.memorySize\+memAlign)\)",
        replacement=r"alignMemory(Module.getMemoryPatched(Module,libName,\1)",
        places=1,
    ),
    Patch(
        pattern=r"(?<![\w.])reportUndefinedSymbols\(\)",
        replacement="Module.reportUndefinedSymbols()",
        places=3,
    ),
    Patch(pattern=r"(?<![\w.$])eval\(", replacement="evalIsRefused(", places=6),
    Patch(
        pattern=r"export default _createPyodideModule;",
        replacement="export default _createPyodideModule;export { _createPyodideModule };",
        places=1,
    ),
)


def adapt_glue(glue: str, patches: Sequence[Patch] = PATCHES) -> str:
    """The glue module with every patch applied; raises when a patch fits a different number of places."""
    for patch in patches:
        glue, places = re.subn(patch.pattern, patch.replacement, glue, flags=re.DOTALL)
        if places != patch.places:
            raise SetupError(
                f"pyodide.asm.mjs: {patch.pattern!r} was found {places} times, expected {patch.places}. "
                "A new Pyodide needs new patches in tools/pyodide_bundle.py."
            )
    return IMPORTS + glue


def encode_bundle(*, glue: str, wasm: bytes, stdlib: bytes) -> bytes:
    """The bundle as one Cap'n Proto message."""
    schema: Any = cast(Any, capnp).load(str(Path(__file__).with_suffix(".capnp")))
    bundle = schema.Bundle.new_message()
    modules = bundle.init("modules", 3)
    for module, (name, member, content) in zip(
        modules,
        (
            ("pyodide.asm", "src", glue.encode()),
            ("pyodide.asm.wasm", "wasm", wasm),
            ("python_stdlib.zip", "data", stdlib),
        ),
        strict=True,
    ):
        module.name = f"pyodideRuntime-internal:{name}"
        setattr(module, member, content)
        module.type = "internal"
    return bundle.to_bytes()


def ensure_bundle() -> Path:
    """The folder that holds the bundle, assembled once for each pair of versions."""
    package = paths.NODE_MODULES / "pyodide"
    installed = json.loads((package / "package.json").read_text())["version"]
    if installed != PYODIDE_VERSION:
        raise SetupError(f"node_modules/pyodide is {installed}, workerd wants {PYODIDE_VERSION}: run npm ci")
    folder = paths.BUILD / f"pyodide-{installed}-workerd-{node_runtime.workerd_version()}-{ADAPTATION}"
    target = folder / BUNDLE_NAME
    if not target.exists():
        with progress.step("Assembling the Pyodide bundle"):
            folder.mkdir(parents=True, exist_ok=True)
            partial = target.with_suffix(".partial")
            partial.write_bytes(
                encode_bundle(
                    glue=adapt_glue((package / "pyodide.asm.mjs").read_text()),
                    wasm=(package / "pyodide.asm.wasm").read_bytes(),
                    stdlib=(package / "python_stdlib.zip").read_bytes(),
                )
            )
            partial.rename(target)
    return folder
