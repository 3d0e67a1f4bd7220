"""Looks at the Worker's memory from inside."""

import asyncio
import gc
from typing import TypedDict

from langgraph.graph import START, StateGraph


class Memory(TypedDict, total=False):
    """What the isolate holds."""

    wasm_heap_bytes: int
    wasm_used_bytes: int
    js_references: int
    python_objects: int
    tasks: int


async def look(_state: Memory) -> Memory:
    """Count after a collection."""
    from pyodide_js import _module  # noqa: PLC0415 - only there inside the Worker

    gc.collect()
    return {
        "wasm_heap_bytes": int(_module.HEAPU8.length),
        "wasm_used_bytes": int(_module._sbrk(0)),
        "js_references": int(_module._hiwire_num_refs()),
        "python_objects": len(gc.get_objects()) + gc.get_freeze_count(),
        "tasks": len(asyncio.all_tasks()),
    }


graph = StateGraph(Memory).add_node(look).add_edge(START, "look").compile()
