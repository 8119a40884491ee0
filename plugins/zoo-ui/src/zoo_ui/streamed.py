"""Answers that come in steps while the work goes on; who leaves ends the work."""

from __future__ import annotations

import asyncio
import json
import logging
import tempfile
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import anyio
from starlette.requests import Request

from zoo_core.errors import ZooError
from zoo_ui.watch import CancelledError, Event, Job

Work = Callable[[Job], None]
PREFIX, SUFFIX = ".zoo-ui-", ".part"
"""How the folders of work are named: what a killed server left is known by it."""
BEAT = 1.0
"""Seconds after which it is looked whether anybody still waits."""
_PIECE = 1 << 20


async def steps(request: Request, pool: ThreadPoolExecutor, work: Work) -> AsyncIterator[bytes]:
    """The events of some work as bytes: a line of JSON each, followed by its files.

    The line says in ``sizes`` how many bytes each file has. An error is the last event.
    Nothing of it is left on the disk afterwards.
    """
    loop, stop = asyncio.get_running_loop(), threading.Event()
    events: asyncio.Queue[Event | None] = asyncio.Queue()

    def tell(event: Event | None) -> None:
        loop.call_soon_threadsafe(events.put_nowait, event)

    with tempfile.TemporaryDirectory(prefix=PREFIX, suffix=SUFFIX) as folder:
        job = Job(Path(folder), tell, stop)
        running = loop.run_in_executor(pool, _run, work, job, partial(tell, None))
        try:
            async for event in _until_end(request, events):
                for piece in _framed(event):
                    yield piece
        finally:
            stop.set()
            with anyio.CancelScope(shield=True):  # its files may be in use until it ends
                await running


def _run(work: Work, job: Job, end: Callable[[], None]) -> None:
    """Does the work; what went wrong is told, and at last that it is the end."""
    try:
        work(job)
    except CancelledError:
        pass
    except ZooError as error:
        job.tell(Event({"error": str(error)}))
    except MemoryError:
        job.tell(Event({"error": "There is not enough memory for it."}))
    except Exception:
        logging.getLogger("uvicorn.error").exception("zoo ui: a fault of its own")
        job.tell(Event({"error": "A fault of zoo ui itself; its terminal says more."}))
    finally:
        end()


async def _until_end(request: Request, events: asyncio.Queue[Event | None]) -> AsyncIterator[Event]:
    while True:
        if request.app.state.is_closing():
            yield Event({"error": "The server was stopped."})
            return
        try:
            event = await asyncio.wait_for(events.get(), BEAT)
        except TimeoutError:
            if await request.is_disconnected():
                return
            continue
        if event is None:
            return
        yield event


def _framed(event: Event) -> Iterator[bytes]:
    sizes = [path.stat().st_size for path in event.files]
    yield json.dumps({**event.says, "sizes": sizes}).encode() + b"\n"
    for path in event.files:
        with path.open("rb") as file:
            while piece := file.read(_PIECE):
                yield piece
