"""One round of a campaign: a fresh server, users, a number of crashes, a quiet end, and the history of all of it.

Each round leaves its history and the server's log below `.superstep/chaos/`, until the next round with the same seed.
"""

import asyncio
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Final
from uuid import UUID

import httpx
from langgraph_sdk import get_client

from tests.chaos.campaign import history, results, scenarios
from tests.chaos.campaign.clients import GRAPHS, Client, World
from tests.chaos.campaign.history import History, Recorder, Stepped, Surprised, WebhookCall
from tests.chaos.campaign.nemesis import CRON, Nemesis
from tests.chaos.campaign.observation import leftovers, observe, observe_crons
from tests.chaos.campaign.results import Result
from tests.support.database_file import DatabaseFile
from tests.support.step_server import StepServer
from tests.support.webhook_receiver import WebhookReceiver
from tools import local_server, paths, worker_copy
from tools.local_server import Server

PROJECT: Final = Path(__file__).with_name("project") / "langgraph.json"
MAIN: Final = Path(__file__).with_name("faulty_entry.py")
#: Users at any time; each is in the middle of something when the server dies.
USERS: Final = 12
#: A crash at the same place again and again is another test's.
VARIABLES: Final = {"MAX_ATTEMPTS": "100", "SLICE_SUPERSTEPS": "12"}
#: How often the minute passes, so that the sweeper has more to do than in real life.
TICK_SECONDS: Final = 5
TICKS_AT_ONCE: Final = 3
TICK_PATH: Final = "/cdn-cgi/handler/scheduled?cron=*+*+*+*+*"
CRONS: Final = 2
CRON_SECONDS: Final = 10
QUIET_SECONDS: Final = 150
FOLDER: Final = paths.BUILD / "chaos"


async def play(seed: int, kills: int, on_crash: Callable[[], None] = lambda: None) -> Result:
    """Play one round and check it."""
    began, commit = time.monotonic(), results.revision()
    kept, log = _files(seed)
    FOLDER.mkdir(parents=True, exist_ok=True)
    log.unlink(missing_ok=True)
    try:
        told = await _history(seed, kills, on_crash, log)
    except BaseException as error:
        error.add_note(f"the server's log is in {log}")
        raise
    history.write(told, kept)
    return results.result_of(told, seed=seed, seconds=time.monotonic() - began, commit=commit)


def report(result: Result) -> str:
    """What is wrong with a round, and where to look."""
    kept, log = _files(result.seed)
    again = f"make chaos KILLS={sum(result.crashes.values())} SEED={result.seed}"
    where = f"the history is in {kept}, the server's log in {log}; play the round again with: {again}"
    return "\n".join([*(f"✗ {violation}" for violation in result.violations), where])


def _files(seed: int) -> tuple[Path, Path]:
    return FOLDER / f"{seed}.jsonl", FOLDER / f"{seed}.log"


async def _history(seed: int, kills: int, on_crash: Callable[[], None], log: Path) -> History:
    """Play one round; the history is complete even when users got stuck: then it shows that their runs did not end."""
    paces = Random(f"{seed} steps")
    recorder = Recorder()
    with (
        StepServer(lambda: paces.uniform(0.05, 0.4)).serving() as steps,
        WebhookReceiver().serving() as receiver,
        _server(f"chaos-{seed}", log) as server,
    ):
        nemesis = Nemesis(server=server, steps=steps, recorder=recorder, random=Random(f"{seed} nemesis"))
        database = DatabaseFile(server.persist_to)
        async with get_client(url=server.url) as sdk, httpx.AsyncClient(base_url=server.url, timeout=180) as http:
            world = World(sdk=sdk, http=http, recorder=recorder, steps_url=steps.url, receiver_url=receiver.url)
            await _make_crons(world)
            over, silence = asyncio.Event(), asyncio.Event()
            ticking = asyncio.create_task(_tick(http, silence))
            users = [
                asyncio.create_task(_user(world, Random(f"{seed} user {number}"), over)) for number in range(USERS)
            ]
            for _ in range(kills):
                await nemesis.crash()
                on_crash()
            over.set()
            threads = [thread_id for used in await asyncio.gather(*users) for thread_id in used]
            quiet_at = await _quiet(database)
            silence.set()
            await ticking
            ended = await observe(world, database, threads)
        visits = [
            Stepped(at=each.began, sent=each.sent, until=each.ended, name=each.step[0], step=each.step[1])
            for each in steps.visits()
        ]
        return History(
            events=[*recorder.events, *visits],
            threads=ended,
            webhooks=[WebhookCall(name=told["metadata"]["name"], status=told["status"]) for told in receiver.bodies()],
            crons=observe_crons(database, seconds=CRON_SECONDS, until=quiet_at),
            leftovers=leftovers(database),
        )


@contextmanager
def _server(name: str, log: Path) -> Iterator[Server]:
    config = worker_copy.with_project(name, PROJECT, main=MAIN)
    try:
        with local_server.serve(config=config, vars=VARIABLES, log_path=log) as server:
            yield server
    finally:
        shutil.rmtree(config.parent, ignore_errors=True)


async def _user(world: World, random: Random, over: asyncio.Event) -> list[str]:
    """One scenario after the other, each on a new thread, until the campaign is over; the threads."""
    threads: list[str] = []
    while not over.is_set():
        threads.append(str(UUID(int=random.getrandbits(128), version=4)))
        client = Client(world, random, threads[-1])
        try:
            await client.make_thread()
            await scenarios.draw(random)(client, random)
        except Exception as error:  # noqa: BLE001 - whatever it is, the checker will report it
            world.recorder.take(Surprised(at=world.recorder.now, thread_id=threads[-1], what=repr(error)))
    return threads


async def _make_crons(world: World) -> None:
    given = {"url": world.steps_url, "run": CRON, "steps": 1, "asks_at": None, "fails_at": None, "log": []}
    schedule = {"schedule": f"* * * * * */{CRON_SECONDS}", "on_missed": "all", "on_run_completed": "keep"}
    for _ in range(CRONS):
        answer = await world.http.post("/runs/crons", json={"assistant_id": GRAPHS[0], "input": given, **schedule})
        answer.raise_for_status()


async def _tick(http: httpx.AsyncClient, silence: asyncio.Event) -> None:
    """Let what each minute does be done more often, and several times at once; what fails comes again."""
    while not silence.is_set():
        await asyncio.gather(*(http.get(TICK_PATH) for _ in range(TICKS_AT_ONCE)), return_exceptions=True)
        with suppress(TimeoutError):
            await asyncio.wait_for(silence.wait(), TICK_SECONDS)


async def _quiet(database: DatabaseFile) -> str:
    """Return when nothing was left to do, or more than enough time is over; the time of the last look."""
    for _ in range(QUIET_SECONDS):
        now = datetime.now(UTC).isoformat()
        if not any(database.run(sql, now) for sql in _UNFINISHED):
            break
        await asyncio.sleep(1)
    return now


#: A cron's runs are created before their time.
_UNFINISHED: Final = (
    "SELECT 1 FROM runs WHERE status IN ('pending', 'running') AND (due_at IS NULL OR due_at < ?) LIMIT 1",
    "SELECT 1 FROM webhooks WHERE due_at IS NOT NULL AND ? LIMIT 1",
)
