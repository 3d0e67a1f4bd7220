"""A D1 that does not answer: it is given up, and what it says later harms nobody."""

import asyncio
import gc

from js import Error, Promise, globalThis
from pyodide.ffi import create_proxy
from pyodide_js import _module

from bindings import blocking_calls, d1, timers
from bindings.d1 import D1Database
from errors import DatabaseUnavailable
from patient_database import PatientDatabase
from ports import Statement

blocking_calls.install()
timers.install()
d1.ANSWER_SECONDS = 2 * timers.SHORT_SECONDS

ONE = [Statement("SELECT 1 AS one")]


class Silent:
    """A binding that keeps so many batches for itself."""

    def __init__(self, database, count):
        self._raw = database._binding
        self.kept = []
        self._count = count

    def prepare(self, sql):
        return self._raw.prepare(sql)

    def batch(self, statements):
        if len(self.kept) == self._count:
            return self._raw.batch(statements)
        self.kept.append(Promise.withResolvers())
        return self.kept[-1].promise


async def refused(call):
    try:
        await call
    except DatabaseUnavailable as error:
        return str(error)
    raise AssertionError("there was an answer")


async def test_a_batch_without_an_answer_is_given_up(database):
    assert "no answer within 1 s" in await refused(D1Database(Silent(database, 1)).batch(ONE))


async def test_who_is_patient_sends_it_again(database):
    assert await PatientDatabase(D1Database(Silent(database, 1))).batch(ONE) == [[{"one": 1}]]


async def test_synchronous_code_does_not_wait_for_ever_either(database):
    silent = D1Database(Silent(database, 1))

    def call():
        return silent.wait(refused(silent.batch(ONE))), silent.wait(silent.batch(ONE))

    said, rows = await asyncio.get_running_loop().run_in_executor(None, call)
    assert "no answer within 1 s" in said
    assert rows == [[{"one": 1}]]


async def test_what_comes_too_late_is_heard_by_nobody_and_leaves_nothing(database):
    unhandled = []
    globalThis.addEventListener("unhandledrejection", create_proxy(lambda event: unhandled.append(str(event.reason))))

    async def given_up_and_answered():
        silent = Silent(database, 2)
        await asyncio.gather(*[refused(D1Database(silent).batch(ONE)) for _ in range(2)])
        silent.kept[0].resolve(await silent._raw.batch([silent._raw.prepare("SELECT 1").bind()]))
        silent.kept[1].reject(Error.new("D1_ERROR: Network connection lost."))
        silent.kept = None
        await asyncio.sleep(0.1)

    Promise.withResolvers().reject(Error.new("this one is heard"))
    references = []
    for _ in range(4):
        await given_up_and_answered()
        gc.collect()
        references.append(_module._hiwire_num_refs())
    assert unhandled == ["Error: this one is heard"]
    assert references[-1] <= references[1], references
    return references
