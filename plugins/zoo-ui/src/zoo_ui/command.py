"""``zoo ui``: serves the page to this machine."""

from __future__ import annotations

import secrets
import socket
import webbrowser
from pathlib import Path

import click

from zoo_core.cli.complete import models as known_models
from zoo_core.cli.output import say
from zoo_core.errors import UsageError

HOST = "127.0.0.1"
LOOPBACK = (HOST, "localhost")
"""Addresses that this machine alone reaches."""


@click.command("ui")
@click.argument("models", nargs=-1, shell_complete=known_models)
@click.option("--runs", type=click.Path(path_type=Path), metavar="FOLDER",
              help="Follow the training runs below a folder.")  # fmt: skip
@click.option("--host", default=HOST, show_default=True,
              help="Address to serve at; others ask for a token, over plain HTTP.")  # fmt: skip
@click.option("--port", type=click.IntRange(0, 65535), default=7860, show_default=True,
              help="Port; 0 takes a free one.")  # fmt: skip
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:1, mps.")
@click.option("--browser/--no-browser", default=True, help="Open the page at once.")
def ui(
    models: tuple[str, ...], *, runs: Path | None, host: str, port: int, device: str, browser: bool
) -> None:
    """Translate pictures and voices in the browser.

    The page offers the models that are on this machine, and MODELS: directories of models or runs.
    It is served to this machine alone, unless --host says otherwise: then to whoever knows the
    token in the address that is printed.
    """
    listening = listen(port, host)
    token = None if host in LOOPBACK else secrets.token_urlsafe(24)
    address = f"http://{_reachable(host)}:{listening.getsockname()[1]}/"
    say(f"Starting the page at {address} …")
    import uvicorn

    from zoo_ui.app import build_app

    app = build_app(models, device=device, token=token, runs=runs)
    config = uvicorn.Config(
        app,
        log_config=None,  # uvicorn's own would close what other packages' handlers write to
        log_level="warning",
        lifespan="off",
        proxy_headers=False,
    )
    server = uvicorn.Server(config)
    app.state.is_closing = lambda: server.should_exit
    if token is not None:
        address += f"?token={token}"
        say("Whoever has this address can use the page. It is plain HTTP: what is sent, and the")
        say("token, can be read on the way. Use it where you trust the network, or through SSH.")
    say(f"Open {address} in a browser. Ctrl-C ends it.")
    if browser:
        webbrowser.open(address)
    server.run(sockets=[listening])


def _reachable(host: str) -> str:
    """A name by which others reach what serves at all addresses of this machine."""
    return socket.gethostname() if host in ("", "0.0.0.0") else host


def listen(port: int, host: str = HOST) -> socket.socket:
    """A socket at an address of this machine.

    Raises:
        UsageError: If the port is taken, or the address none of this machine.
    """
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError as fault:
        listening.close()
        raise UsageError(
            f"it cannot be used: {fault.strerror}",
            asked=f"--port {port}" if host == HOST else f"--host {host} --port {port}",
            hint="Choose another port, or 0 for any that is free; --host is an IPv4 address or a "
            "name of this machine.",
        ) from fault
    return listening
