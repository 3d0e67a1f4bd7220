"""The event loop's timers, which are JavaScript timers."""

import asyncio
import gc
import weakref

from bindings import timers

timers.install()


async def test_a_cancelled_timer_is_gone(database):
    handle = asyncio.get_running_loop().call_later(60, print)
    timer = weakref.ref(handle)
    handle.cancel()
    del handle
    gc.collect()
    assert timer() is None


async def test_a_timer_may_be_longer_than_javascripts_milliseconds(database):
    rang = []
    loop = asyncio.get_running_loop()
    handles = [loop.call_later(seconds, rang.append, seconds) for seconds in (2**31 / 1000, 2**32 / 1000, 10.0**15)]
    await asyncio.sleep(2 * timers.SHORT_SECONDS)
    for handle in handles:
        handle.cancel()
    assert rang == []


async def test_a_timer_rings_once_and_with_its_arguments(database):
    rang = []
    handle = asyncio.get_running_loop().call_later(timers.SHORT_SECONDS, rang.append, "rang")
    await asyncio.sleep(2 * timers.SHORT_SECONDS)
    handle.cancel()
    assert rang == ["rang"]


async def test_a_time_limit_is_kept(database):
    try:
        async with asyncio.timeout(timers.SHORT_SECONDS):
            await asyncio.sleep(60)
    except TimeoutError:
        return
    raise AssertionError("nothing was cut off")
