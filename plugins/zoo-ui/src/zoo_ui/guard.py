"""Who is served: this machine and its own page, or whoever knows the token."""

from __future__ import annotations

import secrets
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qs

from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.responses import JSONResponse, RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADERS = {
    "content-security-policy": "default-src 'self'; img-src 'self' blob:; media-src 'self' blob:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}

CONNECTIONS = 32
"""Requests at once, of all open pages together."""


def guards(token: str | None) -> list[Middleware]:
    """What stands before the application.

    Args:
        token: What a browser must know; None for this machine alone, where a page elsewhere whose
            name leads here is refused.
    """
    if token is None:
        door = Middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost"])
    else:
        door = Middleware(_Token, token=token)
    return [Middleware(_Headers), door, Middleware(_OwnPage), Middleware(_Busy)]


class _Headers:
    """Gives every answer `HEADERS`."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        await self._app(scope, receive, sent)


class _OwnPage:
    """Refuses to act for the page of another address."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        origin, host = headers.get("origin"), headers.get("host")
        if (
            scope["type"] == "http"
            and scope["method"] == "POST"
            and origin not in (None, f"http://{host}")
        ):
            answer: Any = JSONResponse({"error": "another page asks for it"}, 403)
            await answer(scope, receive, send)
        else:
            await self._app(scope, receive, send)


class _Busy:
    """Takes no more than so many requests at once, each of which may hold a file in memory.

    What no request has come of yet does not count, else strangers who only connect lock others out.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app, self._count = app, 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":  # the page's own start and end, which last as long as it does
            await self._app(scope, receive, send)
            return
        if self._count >= CONNECTIONS:
            await JSONResponse({"error": "the page is busy"}, 503)(scope, receive, send)
            return
        self._count += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._count -= 1


class _Token:
    """Serves who has the token, in a cookie; an address with the token in it brings the cookie."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app, self._token = app, token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # Cookies know no ports: pages that one machine serves at several have one each.
        name = f"zoo-token-{scope['server'][1]}"
        if self._is_known(_cookie(name, Headers(scope=scope).get("cookie", ""))):
            await self._app(scope, receive, send)
            return
        query = parse_qs(scope["query_string"].decode("latin-1"))
        answer: Any = JSONResponse(
            {"error": "Open the address that zoo ui printed, with its token."}, 401
        )
        if scope["path"] == "/" and self._is_known(query.get("token", [""])[0]):
            answer = RedirectResponse("/", 303)
            answer.set_cookie(name, self._token, httponly=True, samesite="strict")
        await answer(scope, receive, send)

    def _is_known(self, given: str) -> bool:
        return secrets.compare_digest(given.encode(), self._token.encode())


def _cookie(name: str, header: str) -> str:
    try:
        found = SimpleCookie(header).get(name)
    except CookieError:
        return ""
    return "" if found is None else found.value
