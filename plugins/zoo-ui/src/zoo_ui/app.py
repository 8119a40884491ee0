"""The server behind the page: models, their pictures, and one request per translated picture."""

from __future__ import annotations

import io
import re
import tempfile
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

from PIL import Image
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from zoo_core.errors import DataError, UsageError, ZooError
from zoo_core.files import sweep
from zoo_ui.shelf import Shelf

LARGEST = 64 * 2**20
"""Most bytes of one file."""
LONGEST = 2048
"""Longest side of a result in pixels; larger ones are for ``zoo translate``."""
PAGE = {"": "text/html", "page.css": "text/css", "page.js": "text/javascript"}
HEADERS = {
    "content-security-policy": "default-src 'self'; img-src 'self' blob:; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}


def build_app(directories: Sequence[str] = (), *, device: str = "auto") -> Starlette:
    """The application.

    Args:
        directories: Model directories and runs to offer besides the catalogue's models.
        device: Where to compute.

    Raises:
        ZooError: If one of ``directories`` is no model for pictures.
    """
    shelf = Shelf(directories, device)
    sweep(Path(tempfile.gettempdir()))

    async def page(request: Request) -> Response:
        name = request.path_params.get("name", "")
        if name not in PAGE:
            return _refused("there is no such page", 404)
        text = (resources.files("zoo_ui") / "page" / (name or "index.html")).read_text("utf-8")
        return Response(text, media_type=PAGE[name], headers=HEADERS)

    async def models(request: Request) -> Response:
        rows = [
            {"name": o.name, "summary": o.summary, "targets": o.targets, "picture": bool(o.picture)}
            for o in shelf.offers.values()
        ]
        return JSONResponse(rows, headers=HEADERS)

    async def picture(request: Request) -> Response:
        offer = shelf.offers.get(request.query_params.get("model", ""))
        if offer is None or offer.picture is None:
            return _refused("it has no picture", 404)
        return FileResponse(offer.picture, media_type="image/png", headers=HEADERS)

    async def translate(request: Request) -> Response:
        origin = request.headers.get("origin")
        if origin is not None and origin != f"http://{request.headers.get('host')}":
            return _refused("another page asks for it", 403)
        asked = {key: request.query_params.get(key, "") for key in ("model", "to", "name")}
        try:
            data = await _body(request)
            made = await run_in_threadpool(_translated, shelf, data, **asked)
        except ZooError as error:
            return _refused(str(error), 422)
        return Response(made, media_type="image/png", headers=HEADERS)

    app = Starlette(
        routes=[
            Route("/", page),
            Route("/models", models),
            Route("/picture", picture),
            Route("/translate", translate, methods=["POST"]),
            Route("/{name}", page),
        ],
        # Names of this machine alone: a page elsewhere whose name leads here is refused.
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost"])],
    )
    # Nothing here is known by two addresses, and the redirection trips over bytes that are no text.
    app.router.redirect_slashes = False
    return app


async def _body(request: Request) -> bytes:
    """What was sent; raises `DataError` as soon as it is too much."""
    data = bytearray()
    async for part in request.stream():
        data += part
        if len(data) > LARGEST:
            raise DataError(
                f"it is larger than {LARGEST >> 20} MB",
                asked=request.query_params.get("name", "file"),
                hint="Use zoo translate for large files.",
            )
    return bytes(data)


def _translated(shelf: Shelf, data: bytes, *, model: str, to: str, name: str) -> bytes:
    """PNG of a file as the model makes it; raises `ZooError` with the file's own name."""
    suffix = re.sub(r"[^\w.]", "", Path(name).suffix)[:10]  # a NUL is no part of a path
    with tempfile.TemporaryDirectory(prefix=".zoo-ui-", suffix=".part") as folder:
        path = Path(folder) / f"picture{suffix}"
        path.write_bytes(data)
        with shelf.use(model) as translator:
            if to not in shelf.offers[model].targets:
                raise UsageError(
                    "it cannot become that",
                    asked=f'{model} to "{to}"',
                    hint=f"Choose one of {', '.join(shelf.offers[model].targets)}.",
                )
            try:
                made = translator(str(path), to=to)
            except ZooError as error:
                said = str(error).replace(str(path), Path(name).name or "the file")
                raise DataError(said.rstrip(".")) from error
    if not isinstance(made, Image.Image):
        raise DataError("it is no single picture", asked=name, hint="Use zoo translate for it.")
    made.thumbnail((LONGEST, LONGEST))
    stream = io.BytesIO()
    made.save(stream, "PNG")
    return stream.getvalue()


def _refused(sentence: str, status: int) -> Response:
    return JSONResponse({"error": sentence}, status, headers=HEADERS)
