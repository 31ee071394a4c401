"""Who may ask: around the whole application, before anything of a request is looked at.

A page of another site must not reach the server through its visitor's browser: neither by a form (no type
that a form can send is taken), nor by a script (no answer to a preflight), nor under a name of its own that
leads to 127.0.0.1 (DNS rebinding; the header Host must be ours).
"""

from __future__ import annotations

import hmac
from http import HTTPStatus

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from roigan.apps.editor.requests import MOST_BYTES

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
TYPES = ("application/json", "application/octet-stream", "image/")
CONTENT_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": CONTENT_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-cache",
}


class Guard:
    """ASGI middleware: refuses strangers and what is too large, and gives every answer its headers.

    token: None on the loopback address; elsewhere what every request to /api must carry as `Authorization:
    Bearer TOKEN` (the page itself holds nothing that is secret).
    """

    def __init__(self, app: ASGIApp, port: int, token: str | None = None) -> None:
        self.app, self.port, self.token = app, port, token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        try:
            self.admit(scope["method"], scope["path"], Headers(scope=scope))
        except HTTPException as refusal:
            if refusal.status_code == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
                await _drop(receive)
            refused = JSONResponse({"error": refusal.detail}, refusal.status_code)
            await refused(scope, receive, send_with_headers)
            return
        await self.app(scope, _counted(receive), send_with_headers)

    def admit(self, method: str, path: str, headers: Headers) -> None:
        """Raise HTTPException 403, 413 or 415 for a request that is refused."""
        host, origin = headers.get("host", ""), headers.get("origin")
        own = [f"{name}:{self.port}" for name in LOOPBACK] + (list(LOOPBACK) if self.port == 80 else [])
        if self.token is None and host not in own:
            raise HTTPException(403, f"this server answers to {own[0]} only")
        if origin is not None and origin != f"http://{host}":
            raise HTTPException(403, "this server answers to its own page only")
        if headers.get("sec-fetch-site", "none") not in ("same-origin", "none"):
            raise HTTPException(403, "this server answers to its own page only")
        if self.token is not None and path.startswith(("/api", "/openapi")):
            given = headers.get("authorization", "").removeprefix("Bearer ")
            if not hmac.compare_digest(given.encode(), self.token.encode()):
                raise HTTPException(403, "the token is missing or wrong; open the address that was printed")
        if method in ("POST", "PUT") and not headers.get("content-type", "").lower().startswith(TYPES):
            raise HTTPException(415, "a body is application/json, image/* or application/octet-stream")
        length = headers.get("content-length", "0")
        if length.isdecimal() and int(length) > MOST_BYTES:
            raise _too_large()


def _too_large() -> HTTPException:
    return HTTPException(413, f"more than {MOST_BYTES >> 20} MiB; make the picture smaller")


def _counted(receive: Receive) -> Receive:
    """`receive` that raises HTTPException 413 once a body has grown too large, whatever its header said."""
    total = 0

    async def counted() -> Message:
        nonlocal total
        message = await receive()
        total += len(message.get("body", b""))
        if total > MOST_BYTES:
            await _drop(receive)
            raise _too_large()
        return message

    return counted


async def _drop(receive: Receive) -> None:
    """Pass over the rest of a body, as much again at most: a client that is still sending hears no answer."""
    dropped, more = 0, True
    while more and dropped < MOST_BYTES:
        message = await receive()
        dropped += len(message.get("body", b""))
        more = message["type"] == "http.request" and message.get("more_body", False)
