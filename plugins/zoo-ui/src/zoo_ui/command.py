"""``zoo ui``: serves the page to this machine."""

from __future__ import annotations

import socket
import webbrowser

import click

from zoo_core.cli.complete import models as known_models
from zoo_core.cli.output import say
from zoo_core.errors import UsageError

HOST = "127.0.0.1"


@click.command("ui")
@click.argument("models", nargs=-1, shell_complete=known_models)
@click.option("--port", type=click.IntRange(0, 65535), default=7860, show_default=True,
              help="Port; 0 takes a free one.")  # fmt: skip
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:1, mps.")
@click.option("--browser/--no-browser", default=True, help="Open the page at once.")
def ui(models: tuple[str, ...], port: int, device: str, browser: bool) -> None:
    """Translate pictures in the browser.

    The page offers the models for pictures that are on this machine, and MODELS: directories of
    models or runs. It is served to this machine alone.
    """
    listening = listen(port)
    address = f"http://{HOST}:{listening.getsockname()[1]}/"
    say(f"Starting the page at {address} …")
    import uvicorn

    from zoo_ui.app import CONNECTIONS, build_app

    app = build_app(models, device=device)
    config = uvicorn.Config(
        app, log_level="warning", lifespan="off", limit_concurrency=CONNECTIONS, proxy_headers=False
    )
    server = uvicorn.Server(config)
    say(f"Open {address} in a browser. Ctrl-C ends it.")
    if browser:
        webbrowser.open(address)
    server.run(sockets=[listening])


def listen(port: int) -> socket.socket:
    """A socket of this machine alone.

    Raises:
        UsageError: If the port is taken.
    """
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((HOST, port))
    except OSError as fault:
        listening.close()
        raise UsageError(
            f"it cannot be used: {fault.strerror}",
            asked=f"--port {port}",
            hint="Choose another, or 0 for any that is free.",
        ) from fault
    return listening
