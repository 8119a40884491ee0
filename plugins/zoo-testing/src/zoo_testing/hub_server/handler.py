"""The routes: what huggingface_hub asks of a Hub."""

from __future__ import annotations

import base64
import gzip
import json
import re
import time
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler
from typing import Any, ClassVar
from urllib.parse import unquote, urlsplit

from zoo_testing.hub_server.faults import (
    Claim,
    Close,
    Drip,
    Endless,
    Fault,
    Garble,
    Hang,
    Status,
    Truncate,
)
from zoo_testing.hub_server.repositories import LARGE, Repository, etag
from zoo_testing.hub_server.requests import TOKEN, HubRequest

KINDS = {"models": "model", "datasets": "dataset", "spaces": "space"}
FILE = re.compile(r"/(?:(datasets|spaces)/)?([^/]+/[^/]+)/resolve/([^/]+)/(.+)")
API = re.compile(r"/api/(models|datasets|spaces)/([^/]+/[^/]+)(?:/(\w+)(?:/(.+))?)?")
STORED = re.compile(r"/store/([0-9a-f]{64})")
CHUNK = 16 * 1024


class Handler(BaseHTTPRequestHandler):
    """Answers one connection; ``hub`` and ``store`` are set by the server."""

    hub: ClassVar[Any]  # the `HubServer`, which makes the handlers
    store: ClassVar[bool]
    protocol_version = "HTTP/1.1"
    noted = False

    def do_HEAD(self) -> None:
        """Metadata of a file."""
        self._answer()

    def do_GET(self) -> None:
        """A file, or what the API says."""
        self._answer()

    def do_POST(self) -> None:
        """Creating a repository, and the steps of an upload."""
        self._answer()

    def log_message(self, format: str, *args: object) -> None:
        """Stays silent; requests are in ``hub.requests``."""

    def _answer(self) -> None:
        self.noted = False
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        authorisation = self.headers.get("Authorization", "")
        self.known = authorisation == f"Bearer {TOKEN}"
        fault = self.hub.faults.find(self.command, self.path)
        try:
            self._respond(body, fault)
        except OSError:  # the client went away
            self.close_connection = True
        finally:
            self._note(0)

    def _note(self, status: int) -> None:
        """Counts the request, once; ahead of the answer, so that no client is faster than that."""
        if self.noted:
            return
        self.noted = True
        seen = HubRequest(
            self.command,
            self.path,
            status,
            self.headers.get("Range", ""),
            bool(self.headers.get("Authorization", "")),
            self.store,
        )
        with self.hub.lock:
            self.hub.requests.append(seen)

    def _respond(self, body: bytes, fault: Fault | None) -> None:
        if isinstance(fault, Hang) and fault.after is None:
            self.hub.released.wait(fault.seconds)
        if isinstance(fault, Close):
            self._note(0)
            self.close_connection = True
            return
        if isinstance(fault, Status):
            self._refuse(fault.code, fault.error, fault.message, fault.headers)
            return
        path = unquote(urlsplit(self.path).path)
        raw = urlsplit(self.path).path
        if match := STORED.fullmatch(path):
            self._send_stored(match[1], fault)
        elif match := FILE.fullmatch(raw):
            plural, name, revision, file = match.groups()
            repository = self._open(name, KINDS.get(plural or "models", ""))
            if repository is not None:
                self._send_file(repository, unquote(revision), unquote(file), fault)
        elif path in ("/api/repos/create", "/api/validate-yaml", "/api/whoami-v2"):
            self._general(path, json.loads(body or b"{}"))
        elif match := API.fullmatch(path):
            plural, name, action, rest = match.groups()
            repository = self._open(name, KINDS[plural])
            if repository is not None:
                self._act(repository, action or "revision", rest, body)
        else:
            self._refuse(404)

    def _open(self, name: str, kind: str) -> Repository | None:
        """The repository, if this client may see it; else the refusal is sent."""
        repository = self.hub.repository(name, kind)
        if repository is None or (repository.private and not self.known):
            if self.known:
                self._refuse(404, "RepoNotFound", "Repository not found")
            else:  # the real Hub does not tell strangers what exists
                self._refuse(401, "RepoNotFound", "Invalid username or password.")
            return None
        if repository.gated:
            text = f"Access to {kind} {name} is restricted."
            self._refuse(403 if self.known else 401, "GatedRepo", text)
            return None
        return repository

    def _send_file(
        self, repository: Repository, revision: str, file: str, fault: Fault | None
    ) -> None:
        commit = repository.resolve(revision)
        if commit is None:
            self._refuse(404, "RevisionNotFound", f"Invalid rev id: {revision}")
            return
        content = repository.commits[commit].get(file)
        headers = {"X-Repo-Commit": commit}
        if content is None:
            self._refuse(404, "EntryNotFound", "Entry not found", headers)
            return
        headers["ETag"] = f'"{etag(content)}"'
        if self.hub.redirecting and len(content) >= LARGE:
            headers |= {
                "X-Linked-Etag": headers.pop("ETag"),
                "X-Linked-Size": str(len(content)),
                "Location": f"{self.hub.store_url}/store/{etag(content)}",
            }
            self._send(302, b"", headers)
            return
        self._send_ranged(content, headers, fault)

    def _send_stored(self, sha256: str, fault: Fault | None) -> None:
        repositories = list(self.hub._repositories.values())
        trees = [tree for repository in repositories for tree in repository.commits.values()]
        found = [content for tree in trees for content in tree.values() if etag(content) == sha256]
        if found:
            self._send_ranged(found[0], {"ETag": f'"{sha256}"'}, fault)
        else:
            self._refuse(404)

    def _send_ranged(self, content: bytes, headers: Mapping[str, str], fault: Fault | None) -> None:
        if isinstance(fault, Garble):
            content = bytes(byte ^ 0x55 for byte in content)
        start = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        whole = len(content)
        if not start or (isinstance(fault, Truncate) and not fault.ranges):
            self._send(200, content, {**headers, "Accept-Ranges": "bytes"}, fault)
        elif int(start[1]) >= whole:
            self._refuse(416, headers={"Content-Range": f"bytes */{whole}"})
        else:
            first = int(start[1])
            extra = {"Content-Range": f"bytes {first}-{whole - 1}/{whole}"}
            self._send(206, content[first:], {**headers, **extra}, fault)

    def _general(self, path: str, values: dict[str, Any]) -> None:
        if path == "/api/validate-yaml":
            self._json({"errors": [], "warnings": []})
        elif not self.known:
            self._refuse(401, message="Invalid username or password.")
        elif path == "/api/whoami-v2":
            self._json({"type": "user", "name": "tester", "orgs": []})
        else:
            name = f"{values.get('organization') or 'tester'}/{values['name']}"
            kind = values.get("type") or "model"
            if self.hub.repository(name, kind) is not None:
                self._json({"error": "exists", "url": f"{self.hub.url}/{name}"}, 409)
                return
            private = bool(values.get("private")) or values.get("visibility") == "private"
            self.hub.create(name, kind, private=private).commit({".gitattributes": b""})
            self._json({"url": f"{self.hub.url}/{name}", "name": name, "id": name})

    def _act(self, repository: Repository, action: str, rest: str | None, body: bytes) -> None:
        revision = (rest or "main").rstrip("/")
        commit = repository.resolve(revision)
        if commit is None:
            self._refuse(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        elif action == "revision":
            self._json(repository.describe(commit))
        elif action == "tree":
            self._json(repository.tree(commit))
        elif action == "refs":
            refs = [
                {"name": name, "ref": f"refs/heads/{name}", "targetCommit": sha}
                for name, sha in repository.refs.items()
            ]
            self._json({"branches": refs, "converts": [], "tags": []})
        elif action not in ("preupload", "commit"):
            self._refuse(404)
        elif not self.known:
            self._refuse(401, message="Invalid username or password.")
        elif action == "preupload":
            files = [
                {"path": f["path"], "uploadMode": "regular", "shouldIgnore": False, "oid": None}
                for f in json.loads(body)["files"]
            ]
            self._json({"files": files})
        else:
            self._commit(repository, revision, body)

    def _commit(self, repository: Repository, revision: str, body: bytes) -> None:
        lines = [json.loads(line) for line in body.splitlines() if line]
        values = [(line["key"], line["value"]) for line in lines]
        files = {
            value["path"]: base64.b64decode(value["content"])
            for key, value in values
            if key == "file"
        }
        deleted = tuple(value["path"] for key, value in values if key == "deletedFile")
        with self.hub.lock:
            commit = repository.commit(files, revision, deleted=deleted)
        url = f"{self.hub.url}/{repository.name}/commit/{commit}"
        self._json({"success": True, "commitOid": commit, "commitUrl": url})

    def _json(self, value: object, status: int = 200) -> None:
        self._send(status, json.dumps(value).encode(), {"Content-Type": "application/json"})

    def _refuse(
        self, code: int, error: str = "", message: str = "", headers: Mapping[str, str] = {}
    ) -> None:
        extra = {"X-Error-Code": error, "X-Error-Message": message}
        given = {key: value for key, value in extra.items() if value}
        self._send(code, json.dumps({"error": message}).encode(), {**given, **headers})

    def _send(
        self, status: int, body: bytes, headers: Mapping[str, str], fault: Fault | None = None
    ) -> None:
        self.send_response(status)
        given: dict[str, str | None] = {**headers, "Content-Length": str(len(body))}
        if isinstance(fault, Claim):
            given |= fault.headers
        if isinstance(fault, Endless):
            given |= {"Content-Length": None, "Connection": "close"}
            if fault.compressed and self.command == "GET":
                body = gzip.compress(bytes(50_000_000))
                given |= {"Content-Length": str(len(body)), "Content-Encoding": "gzip"}
        for key, value in given.items():
            if value is not None:
                self.send_header(key, value)
        self._note(status)
        self.end_headers()
        if self.command == "HEAD":
            return
        if isinstance(fault, Drip):
            for byte in body:
                self.wfile.write(bytes([byte]))
                self.wfile.flush()
                self.hub.released.wait(fault.seconds)
            return
        if isinstance(fault, Endless) and not fault.compressed:
            while not self.hub.released.is_set():
                self.wfile.write(bytes(CHUNK))
        if isinstance(fault, Truncate):
            self.close_connection = True
            body = body[: int(len(body) * fault.keep)]
        if isinstance(fault, Hang) and fault.after is not None:
            first = int(len(body) * fault.after)
            self.wfile.write(body[:first])
            self.hub.released.wait(fault.seconds)
            body = body[first:]
        for start in range(0, len(body), CHUNK):
            self.wfile.write(body[start : start + CHUNK])
            if self.hub.rate:
                time.sleep(CHUNK / self.hub.rate)
