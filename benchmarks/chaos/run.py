"""One run: the load, the blows and faults by the plan, and the reckoning."""

import asyncio
import random
import signal
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psycopg

from benchmarks.chaos.language_model import TIMEOUT_SECONDS, FaultyModel
from benchmarks.chaos.load import Client
from benchmarks.chaos.model import Blow, Event, Fault, Ledger, plan
from benchmarks.chaos.processes import Fleet, Member
from benchmarks.chaos.reckoning import Reckoning
from tests.support.models import model_settings
from tests.support.process import environment

_BLOW_TRIES: Final = 100
_BLOW_PAUSE_SECONDS: Final = 0.2
_MOST_HELD: Final = 200


@dataclass(frozen=True, slots=True)
class Options:
    """What a run is made of; `rest_seconds` bounds the wait for an empty queue."""

    seed: int
    seconds: float
    kills: int
    home: Path
    workers: int = 2
    clients: int = 6
    pause_seconds: float = 1.5
    rest_seconds: float = 900.0


async def run(options: Options, ledger: Ledger) -> None:
    """Fill the ledger; its violations say what went wrong."""
    with FaultyModel(options.seed) as model:
        settings = {
            **model_settings(model.server),
            "llm_timeout_seconds": TIMEOUT_SECONDS,
            "embedding_timeout_seconds": TIMEOUT_SECONDS,
            "task_backoff_seconds": 0.5,
            "log_level": "info",
        }
        fleet = Fleet(options.home, environment(options.home, **settings), ledger, workers=options.workers)
        try:
            key = await fleet.start()
            storm = _Storm(fleet, model, ledger, options.seed)
            stopped = asyncio.Event()
            clients = [
                Client(index, options.seed, fleet.base_url, key, ledger, pause=options.pause_seconds)
                for index in range(options.clients)
            ]
            working = [asyncio.create_task(client.work(stopped)) for client in clients]
            await storm.rage(plan(options.seed, options.seconds, options.kills), options.seconds)
            stopped.set()
            await asyncio.gather(*working)
            await fleet.ready()
            await _reckon(Reckoning(fleet, key, ledger), options, ledger)
            await fleet.shut_down()
        finally:
            await fleet.abandon()


async def _reckon(reckoning: Reckoning, options: Options, ledger: Ledger) -> None:
    started = time.monotonic()
    try:
        if await reckoning.rest(options.rest_seconds):
            ledger.notes["seconds until the queue was empty"] = round(time.monotonic() - started)
            ledger.notes["tasks that had failed and were tried again"] = await reckoning.retry_failed()
            await reckoning.rest(options.rest_seconds)
        await reckoning.settle()
    finally:
        await reckoning.close()


class _Storm:
    """Does what the plan says; which worker is hit depends on the seed."""

    def __init__(self, fleet: Fleet, model: FaultyModel, ledger: Ledger, seed: int) -> None:
        self._fleet = fleet
        self._model = model
        self._ledger = ledger
        self._random = random.Random(f"{seed} storm")  # noqa: S311 - to be repeated, not to be secret

    async def rage(self, events: Sequence[Event], seconds: float) -> None:
        """All events at their times; faults end by themselves."""
        started = time.monotonic()
        async with asyncio.TaskGroup() as going_on:
            for event in events:
                await asyncio.sleep(max(0.0, started + event.at - time.monotonic()))
                if isinstance(event.what, Blow):
                    target = self._random.choice(self._fleet.workers)
                    going_on.create_task(self._strike(event.what, target))
                else:
                    going_on.create_task(self._suffer(event.what, event.seconds))
            await asyncio.sleep(max(0.0, started + seconds - time.monotonic()))

    async def _strike(self, blow: Blow, worker: Member) -> None:
        """Until there is something to strike: it may just be starting again."""
        for _ in range(_BLOW_TRIES):
            if await self._struck(blow, worker):
                self._ledger.done[blow] += 1
                return
            await asyncio.sleep(_BLOW_PAUSE_SECONDS)
        self._ledger.notes[f"found nothing to strike: {blow}"] += 1

    async def _struck(self, blow: Blow, worker: Member) -> bool:  # noqa: PLR0911 - one for each kind
        fleet = self._fleet
        match blow:
            case Blow.API_KILLED:
                return fleet.kill(fleet.api)
            case Blow.API_STOPPED:
                return fleet.stop(fleet.api)
            case Blow.WORKER_KILLED:
                return fleet.kill(worker)
            case Blow.WORKER_STOPPED:
                return fleet.stop(worker)
            case Blow.DATABASE_KILLED:
                return fleet.strike_database(signal.SIGKILL)
            case Blow.DATABASE_STOPPED:
                return fleet.strike_database(signal.SIGTERM)
            case Blow.BACKEND_KILLED:
                return await fleet.strike_backend(signal.SIGKILL)
            case Blow.BACKEND_STOPPED:
                return await fleet.strike_backend(signal.SIGTERM)

    async def _suffer(self, fault: Fault, seconds: float) -> None:
        self._ledger.done[fault] += 1
        if fault is Fault.CONNECTIONS_USED_UP:
            await self._use_up_connections(seconds)
            return
        await asyncio.to_thread(self._model.begin, fault)
        await asyncio.sleep(seconds)
        await asyncio.to_thread(self._model.end)

    async def _use_up_connections(self, seconds: float) -> None:
        """Hold every connection that the service's role can get."""
        server = await self._fleet.database()
        deadline = time.monotonic() + seconds
        async with AsyncExitStack() as held:
            for _ in range(_MOST_HELD):
                if server is None or time.monotonic() > deadline:
                    break
                try:
                    await held.enter_async_context(
                        await psycopg.AsyncConnection.connect(server.service_url, autocommit=True, connect_timeout=3)
                    )
                except psycopg.Error:
                    await asyncio.sleep(0.1)  # none is left, or PostgreSQL is away: go on taking what becomes free
            await asyncio.sleep(max(0.0, deadline - time.monotonic()))
