"""The Hub itself: repositories behind a threaded HTTP server on loopback."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from http.server import ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any

from zoo_testing.hub_server.faults import Fault, Faults, Rule
from zoo_testing.hub_server.handler import Handler
from zoo_testing.hub_server.repositories import Repository
from zoo_testing.hub_server.requests import HubRequest


class _Server(ThreadingHTTPServer):
    """Says nothing of clients that went away."""

    request_queue_size = 32

    def handle_error(self, request: object, client_address: object) -> None:
        """Prints nothing."""


class HubServer:
    """A Hub on a free port of loopback; a context manager.

    Attributes:
        url: Its endpoint, for ``HF_ENDPOINT`` or ``endpoint=``.
        requests: All requests so far.
        redirecting: Whether large files are redirected to a store at another host.
        rate: Bytes of a body per second; None for as fast as possible.
    """

    def __init__(self) -> None:
        self.requests: list[HubRequest] = []
        self.redirecting = False
        self.rate: float | None = None
        self.lock = threading.RLock()
        self.faults = Faults()
        self.released = threading.Event()
        self._repositories: dict[tuple[str, str], Repository] = {}
        self._servers = [self._serve(store=False), self._serve(store=True)]
        self.url, self.store_url = (
            f"http://127.0.0.1:{server.server_address[1]}" for server in self._servers
        )

    def add(
        self,
        name: str,
        files: Mapping[str, bytes | Path],
        *,
        kind: str = "model",
        ref: str = "main",
        private: bool = False,
        gated: bool = False,
    ) -> str:
        """Adds a commit, and the repository where there is none; returns the commit.

        Args:
            name: ``organisation/name``.
            files: Content, or a file to read it from, by path in the repository.
            kind: ``model``, ``dataset`` or ``space``.
            ref: The branch, or such as ``refs/pr/1``.
            private: Whether only `TOKEN` opens it.
            gated: Whether nobody has been granted access.
        """
        contents = {
            path: value.read_bytes() if isinstance(value, Path) else value
            for path, value in files.items()
        }
        with self.lock:
            repository = self.create(name, kind, private=private)
            repository.private, repository.gated = private, gated
            return repository.commit(contents, ref)

    def add_directory(self, name: str, directory: Path, **options: Any) -> str:
        """Adds all files of a directory as one commit; options as `add`."""
        files = {
            path.relative_to(directory).as_posix(): path
            for path in directory.rglob("*")
            if path.is_file()
        }
        return self.add(name, files, **options)

    def create(self, name: str, kind: str = "model", *, private: bool = False) -> Repository:
        """The repository of a name, made where there is none."""
        fresh = Repository(name, kind, private)
        with self.lock:
            return self._repositories.setdefault((kind, name), fresh)

    def repository(self, name: str, kind: str = "model") -> Repository | None:
        """The repository of a name."""
        return self._repositories.get((kind, name))

    def misbehave(
        self, fault: Fault, *, method: str | None = None, path: str = "", times: int | None = None
    ) -> None:
        """Lets a fault happen to requests of a method whose path holds ``path``."""
        self.faults.add(Rule(fault, method, path, times))

    def behave(self) -> None:
        """Ends all faults."""
        self.faults.clear()

    def count(self, method: str | None = None, path: str = "") -> int:
        """Number of requests of a method whose path holds ``path``."""
        with self.lock:
            return sum(
                seen.method == (method or seen.method) and path in seen.path
                for seen in self.requests
            )

    def forget(self) -> None:
        """Empties the list of requests."""
        with self.lock:
            self.requests.clear()

    def close(self) -> None:
        """Stops; open connections are dropped."""
        self.released.set()
        for server in self._servers:
            server.shutdown()
            server.server_close()

    def __enter__(self) -> HubServer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType
    ) -> None:
        self.close()

    def _serve(self, *, store: bool) -> ThreadingHTTPServer:
        handler = type("BoundHandler", (Handler,), {"hub": self, "store": store})
        server = _Server(("127.0.0.1", 0), handler)
        server.daemon_threads = True
        server.block_on_close = False
        run = {"poll_interval": 0.02}
        threading.Thread(target=server.serve_forever, kwargs=run, daemon=True).start()
        return server
