"""The server behind the page: models, their pictures, and one request per file."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from functools import partial
from importlib import resources
from pathlib import Path

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from zoo_core.errors import DataError, UsageError, ZooError
from zoo_core.files import sweep
from zoo_ui.guard import CONNECTIONS, guards
from zoo_ui.lens import look
from zoo_ui.runs import Runs
from zoo_ui.shelf import Shelf
from zoo_ui.streamed import steps
from zoo_ui.work import Wish, translate
from zoo_ui.zipped import pieces, zipped

LARGEST = 64 * 2**20
"""Most bytes of one file."""
MEDIA = {
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}


def build_app(
    directories: Sequence[str] = (),
    *,
    device: str = "auto",
    token: str | None = None,
    runs: Path | None = None,
) -> Starlette:
    """The application; all work ends once ``state.is_closing()`` is true.

    Args:
        directories: Model directories and runs to offer besides the catalogue's models.
        device: Where to compute.
        token: What a browser must know to be served; None where it serves this machine alone.
        runs: Folder of the training runs to follow; None for none.

    Raises:
        ZooError: If one of ``directories`` is no model that the page can show, or ``runs`` no
            folder.
    """
    sweep(Path(tempfile.gettempdir()))
    server = _Server(Shelf(directories, device), None if runs is None else Runs(runs))
    app = Starlette(
        routes=[
            Route("/models", server.models),
            Route("/model", server.model),
            Route("/picture", server.picture),
            Route("/example", server.example),
            Route("/runs", server.runs),
            Route("/run", server.run),
            Route("/sheet", server.sheet),
            Route("/translate", server.translate, methods=["POST"]),
            Route("/lens", server.lens, methods=["POST"]),
            Route("/zip", server.zip, methods=["POST"]),
            Route("/", _page),
            Route("/{name}", _page),
        ],
        middleware=guards(token),
        exception_handlers={ZooError: _refusal, HTTPException: _absent},
    )
    # Nothing here is known by two addresses, and the redirection trips over bytes that are no text.
    app.router.redirect_slashes = False
    app.state.is_closing = bool  # never, unless who serves it knows better
    return app


class _Server:
    """Answers requests.

    Args:
        shelf: The models.
        runs: The training runs to follow; None for none.
    """

    def __init__(self, shelf: Shelf, runs: Runs | None) -> None:
        self._shelf, self._runs = shelf, runs
        self._pool = ThreadPoolExecutor(CONNECTIONS, thread_name_prefix="zoo-ui")

    async def models(self, request: Request) -> Response:
        """What is offered, and the limits."""
        rows = [offer.plain() for offer in self._shelf.offers.values()]
        return JSONResponse({"models": rows, "largest": LARGEST, "runs": bool(self._runs)})

    async def model(self, request: Request) -> Response:
        """What can be asked of a model."""
        name = request.query_params.get("model", "")
        return JSONResponse(asdict(await run_in_threadpool(self._shelf.choices, name)))

    async def picture(self, request: Request) -> Response:
        """The samples of a model."""
        offer = self._shelf.offers.get(request.query_params.get("model", ""))
        if offer is None or offer.picture is None:
            return _refused("it has no picture", 404)
        return FileResponse(offer.picture, media_type="image/png")

    async def example(self, request: Request) -> Response:
        """A picture to try a model with."""
        name = request.query_params.get("model", "")
        data = await run_in_threadpool(self._shelf.example, name)
        if data is None:
            return _refused("it has no example", 404)
        return Response(data, media_type="image/png")

    async def runs(self, request: Request) -> Response:
        """Names of the training runs."""
        return JSONResponse(await run_in_threadpool(self._followed().names))

    async def run(self, request: Request) -> Response:
        """How far a training run is."""
        name = request.query_params.get("run", "")
        return JSONResponse(await run_in_threadpool(self._followed().told, name))

    async def sheet(self, request: Request) -> Response:
        """Samples of a training run."""
        name, step = (request.query_params.get(key, "") for key in ("run", "step"))
        path = await run_in_threadpool(self._followed().sheet, name, step)
        if path is None:
            return _refused("it has no such samples", 404)
        return FileResponse(path, media_type="image/png")

    async def translate(self, request: Request) -> Response:
        """Translations of a file, as they are made."""
        return await self._worked(request, translate)

    async def lens(self, request: Request) -> Response:
        """What may be hidden in the translation of a picture."""
        return await self._worked(request, look)

    async def zip(self, request: Request) -> Response:
        """All results that the page sends, as one file."""
        return StreamingResponse(pieces(await zipped(request)), media_type="application/zip")

    def _followed(self) -> Runs:
        if self._runs is None:
            raise UsageError(
                "the page follows no runs", asked="zoo ui", hint="Start it with --runs FOLDER."
            )
        return self._runs

    async def _worked(self, request: Request, act: Callable[..., None]) -> Response:
        """The events of some work on the file that was sent."""
        query = request.query_params
        wish = Wish.of({key: query.getlist(key) for key in query})
        data = await _body(request, wish.name)

        work = partial(act, self._shelf, wish, data)
        return StreamingResponse(steps(request, self._pool, work), media_type="application/x-steps")


async def _page(request: Request) -> Response:
    """A file of the page itself."""
    name = request.path_params.get("name", "index.html")
    files = {path.name: path for path in (resources.files("zoo_ui") / "page").iterdir()}
    if name not in files or Path(name).suffix not in MEDIA:
        return _refused("there is no such page", 404)
    return Response(files[name].read_bytes(), media_type=MEDIA[Path(name).suffix])


async def _body(request: Request, name: str) -> bytes:
    """What was sent; raises `DataError` as soon as it is too much."""
    data = bytearray()
    async for part in request.stream():
        data += part
        if len(data) > LARGEST:
            raise DataError(
                f"it is larger than {LARGEST >> 20} MB",
                asked=name or "the file",
                hint="Use zoo translate for large files.",
            )
    return bytes(data)


async def _refusal(request: Request, error: Exception) -> Response:
    return _refused(str(error), 422)


async def _absent(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        return _refused("there is no such page", 500)
    sentence = error.detail if error.status_code == 400 else "there is no such page"
    return _refused(sentence, error.status_code)


def _refused(sentence: str, status: int) -> Response:
    return JSONResponse({"error": sentence}, status)
