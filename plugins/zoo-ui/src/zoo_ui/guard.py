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
COOKIE = "zoo-token"


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
    return [Middleware(_Headers), door, Middleware(_OwnPage)]


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


class _Token:
    """Serves who has the token, in a cookie; an address with the token in it brings the cookie."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app, self._token = app, token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._is_known(_cookie(Headers(scope=scope).get("cookie", ""))):
            await self._app(scope, receive, send)
            return
        query = parse_qs(scope["query_string"].decode("latin-1"))
        answer: Any = JSONResponse(
            {"error": "Open the address that zoo ui printed, with its token."}, 401
        )
        if scope["path"] == "/" and self._is_known(query.get("token", [""])[0]):
            answer = RedirectResponse("/", 303)
            answer.set_cookie(COOKIE, self._token, httponly=True, samesite="strict")
        await answer(scope, receive, send)

    def _is_known(self, given: str) -> bool:
        return secrets.compare_digest(given.encode(), self._token.encode())


def _cookie(header: str) -> str:
    try:
        found = SimpleCookie(header).get(COOKIE)
    except CookieError:
        return ""
    return "" if found is None else found.value
