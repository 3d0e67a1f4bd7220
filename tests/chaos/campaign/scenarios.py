"""What users do. Each scenario has a thread of its own; many of them are in progress at any time."""

import asyncio
from collections.abc import Awaitable, Callable
from random import Random
from typing import Final, TypeAlias

from tests.chaos.campaign import listeners
from tests.chaos.campaign.clients import Client

Scenario: TypeAlias = Callable[[Client, Random], Awaitable[None]]


async def background(client: Client, random: Random) -> None:
    """Runs are enqueued one after the other and looked at later."""
    works = [client.work() for _ in range(random.randint(1, 3))]
    created = [(work, await client.create(work)) for work in works]
    for work, run_id in created:
        if run_id:
            await client.ended(work, run_id)


async def joined(client: Client, random: Random) -> None:
    """Two users of one thread, each of whom waits for a result."""
    first, second = client.work(), client.work()
    await asyncio.gather(client.wait(first), client.wait(second))


async def streamed(client: Client, random: Random) -> None:
    """One user creates a run and watches it; another one joins from the first event."""
    work = client.work(steps=random.randint(4, 10))
    watching = asyncio.create_task(client.stream(work))
    await client.pause()
    if found := await client.find(work):
        await client.follow(work, found["run_id"], f"{work.name}/joiner")
    await watching


async def followed(client: Client, random: Random) -> None:
    """One user creates a run, by WebSocket perhaps, and another one hears of it by WebSocket."""
    work = client.work(steps=random.randint(4, 10))
    listening = asyncio.create_task(listeners.listen(client.world, random, work))
    if run_id := await random.choice([client.create, client.start])(work):
        await client.ended(work, run_id)
        await listening
    listening.cancel()


async def long(client: Client, random: Random) -> None:
    """A run that a Workflow drives on."""
    await client.wait(client.work(steps=random.randint(15, 30)))


async def approved(client: Client, random: Random) -> None:
    """A run asks its user and goes on with the answer."""
    work = client.work(steps=4, asks_at=random.randint(0, 3))
    run_id = await client.create(work)
    if run_id and await client.ended(work, run_id) == "success":
        answer = client.work(steps=4, answers=work.name)
        if answer_id := await client.create(answer):
            await client.join(answer, answer_id)


async def stopped(client: Client, random: Random) -> None:
    """A run is cancelled while another one waits behind it."""
    work, behind = client.work(steps=30), client.work()
    run_id, behind_id = await client.create(work), await client.create(behind)
    await client.pause(2)
    if run_id:
        await client.cancel(work, run_id, random.choice(["interrupt", "rollback"]))
        await client.ended(work, run_id)
    if behind_id:
        await client.ended(behind, behind_id)


async def replaced(client: Client, random: Random) -> None:
    """A user changes their mind: a newer run takes the place of the one at work."""
    old = client.work(steps=20)
    old_id = await client.create(old)
    await client.pause(2)
    newer = client.work(strategy=random.choice(["interrupt", "rollback", "reject"]))
    newer_id = await client.create(newer)
    for work, run_id in ((newer, newer_id), (old, old_id)):
        if run_id:
            await client.ended(work, run_id)


async def failing(client: Client, random: Random) -> None:
    """A node raises; the next run of the thread is none the worse for it."""
    work = client.work(steps=4, fails_at=random.randint(0, 3))
    if run_id := await client.create(work):
        await client.ended(work, run_id)
    if random.random() < 0.5:
        await client.wait(client.work())


async def deleted(client: Client, random: Random) -> None:
    """A thread goes as soon as it may."""
    works = [client.work(), client.work()]
    for work in works:
        await client.create(work)
    while not await client.delete_thread():
        await client.pause()


#: Those that say more are drawn more often.
SCENARIOS: Final[tuple[tuple[Scenario, int], ...]] = (
    (background, 3),
    (joined, 2),
    (streamed, 4),
    (followed, 2),
    (long, 1),
    (approved, 2),
    (stopped, 2),
    (replaced, 2),
    (failing, 1),
    (deleted, 1),
)


def draw(random: Random) -> Scenario:
    """The next scenario."""
    scenarios, weights = zip(*SCENARIOS, strict=True)
    return random.choices(scenarios, weights)[0]
