"""Garbage inside workerd: it is collected when due, without harm to suspended stacks."""

import asyncio
import gc
import weakref
from random import Random

from pyodide.ffi import run_sync

import garbage

garbage.keep_what_is_there()


class Cycle:
    def __init__(self):
        self.itself = self


async def test_garbage_is_collected_when_it_is_due(database):
    lost = weakref.ref(Cycle())
    garbage.collect_if_due()
    assert lost()
    [Cycle() for _ in range(garbage.NEW_OBJECTS)]
    assert lost()
    garbage.collect_if_due()
    assert not lost()


async def test_collections_while_stacks_are_put_aside(database):
    random = Random(1)
    unfinished = 24

    def deeper(depth):
        if depth:
            return sum(map(deeper, [depth - 1]))
        run_sync(asyncio.sleep(random.uniform(0.01, 0.03)))
        return 1

    def waits():
        nonlocal unfinished
        for _ in range(40):
            deeper(random.randrange(12))
        unfinished -= 1

    for _ in range(unfinished):
        asyncio.get_running_loop().call_soon(waits)
    collections = [each["collections"] for each in gc.get_stats()]
    while unfinished:
        [Cycle() for _ in range(garbage.NEW_OBJECTS)]
        garbage.collect_if_due()
        await asyncio.sleep(0.01)
    _, increments, full = (now["collections"] - before for now, before in zip(gc.get_stats(), collections, strict=True))
    assert (increments, full > 10) == (0, True)
