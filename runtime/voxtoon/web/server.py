"""Serves the page to this machine alone: loopback, a secret in its address, nothing from another host."""

from __future__ import annotations

import hmac
import json
import secrets
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from voxtoon.avatar import NEUTRAL, draw
from voxtoon.errors import InputError, VoxtoonError
from voxtoon.web.call_events import CallEvents

if TYPE_CHECKING:
    from voxtoon.pipeline import Pipeline

HOST = "127.0.0.1"
MOST_BYTES = 4 * 1024 * 1024
"""Of a piece of sound: some seconds of it, at any rate."""
BEAT_S = 5.0
"""Between two signs of life on the way to a page, by which a page that went away is noticed."""

_STATIC = {
    "/page.js": "text/javascript; charset=utf-8",
    "/microphone.js": "text/javascript; charset=utf-8",
    "/page.css": "text/css; charset=utf-8",
}
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Permissions-Policy": "microphone=(self)",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


class WebListener:
    """A server on 127.0.0.1 for one page at a time; sound and avatars stay in memory.

    Parameters
    ----------
    pipeline
        What to hear with.
    port
        0 takes a free one.
    call_options, drawing_options
        Keyword arguments of `Pipeline.stream` and `draw_avatar`.

    Raises
    ------
    InputError
        When the port is taken or cannot be had.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        *,
        port: int = 0,
        call_options: dict[str, Any] | None = None,
        drawing_options: dict[str, Any] | None = None,
    ) -> None:
        self.events = CallEvents(
            pipeline, call_options=call_options or {}, drawing_options=drawing_options or {}
        )
        self.token = secrets.token_urlsafe(24)
        try:
            self._server = _Server((HOST, port), _Handler)
        except (OSError, OverflowError) as error:
            raise InputError(
                f"cannot listen on {HOST} port {port}", got=error, hint="choose another port"
            ) from error
        self._server.listener = self

    @property
    def port(self) -> int:
        """The port that was taken."""
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        """Where the page is; who knows it may use it. The secret is a fragment, which is never sent."""
        return f"http://{HOST}:{self.port}/#{self.token}"

    def serve(self) -> None:
        """Serve until `close` is called from another thread, or the thread is interrupted."""
        self._server.serve_forever(poll_interval=0.1)

    def start(self) -> threading.Thread:
        """Serve on a thread of its own."""
        thread = threading.Thread(target=self.serve, name="voxtoon web", daemon=True)
        thread.start()
        return thread

    def close(self) -> None:
        """End the call and close the port. A server that serves on another thread stops first."""
        self.events.close()
        self._server.server_close()

    def stop(self) -> None:
        """Stop serving on another thread, and close."""
        self._server.shutdown()
        self.close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    listener: WebListener

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: a page that went away is no error."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    server_version = "voxtoon"
    sys_version = ""
    timeout = 30

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002
        """Log nothing: neither addresses nor times are anyone's business."""

    def do_GET(self) -> None:
        """The page, what it is made of, and its events."""
        where = urlsplit(self.path).path
        if not self._is_ours():
            return
        if where == "/":
            self._send(HTTPStatus.OK, _page(), "text/html; charset=utf-8")
        elif where in _STATIC:
            self._send(HTTPStatus.OK, _resource(where[1:]).encode(), _STATIC[where])
        elif where == "/api/events" and self._has_token():
            self._send_events()
        elif where != "/api/events":
            self._refuse(HTTPStatus.NOT_FOUND, "no such page")

    def do_POST(self) -> None:
        """What the page hears."""
        if not (self._is_ours() and self._has_token()):
            return
        body = self._body()
        if body is None:
            return
        where, query = urlsplit(self.path).path, parse_qs(urlsplit(self.path).query)
        events = self.server.listener.events
        try:
            if where == "/api/begin":
                number = events.begin(sample_rate=_number(query, "rate"))
                self._send(HTTPStatus.OK, json.dumps({"call": number}).encode(), "application/json")
                return
            if where == "/api/sound":
                events.hear(_number(query, "call"), body)
            elif where == "/api/end":
                events.end(_number(query, "call"))
            else:
                self._refuse(HTTPStatus.NOT_FOUND, "no such page")
                return
        except VoxtoonError as error:
            self._refuse(HTTPStatus.BAD_REQUEST, str(error))
            return
        self._send(HTTPStatus.NO_CONTENT, b"", None)

    def _is_ours(self) -> bool:
        """Whether the request names us, and not a foreign name that somebody made to lead here."""
        ours = {f"{name}:{self.server.listener.port}" for name in (HOST, "localhost")}
        origin = self.headers.get("Origin")
        if self.headers.get("Host") in ours and (origin is None or origin.removeprefix("http://") in ours):
            return True
        self._refuse(HTTPStatus.FORBIDDEN, "not from this page")
        return False

    def _has_token(self) -> bool:
        given = self.headers.get("X-Voxtoon-Token", "")
        if hmac.compare_digest(given.encode(), self.server.listener.token.encode()):
            return True
        self._refuse(HTTPStatus.FORBIDDEN, "open the address that voxtoon printed")
        return False

    def _body(self) -> bytes | None:
        length = self.headers.get("Content-Length", "0")
        if not length.isdigit() or int(length) > MOST_BYTES:
            self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"at most {MOST_BYTES} bytes at once")
            return None
        return self.rfile.read(int(length))

    def _send_events(self) -> None:
        """One JSON object per line, until the page or the server goes away."""
        self._begin(HTTPStatus.OK, "application/x-ndjson")
        self.send_header("Connection", "close")
        self.end_headers()
        events, seen = self.server.listener.events, 0
        while not events.is_closed:
            found = events.after(seen, timeout_s=BEAT_S)
            self.wfile.write(b"".join(json.dumps(event).encode() + b"\n" for _, event in found) or b"\n")
            seen = found[-1][0] if found else seen
            self.wfile.flush()
        self.close_connection = True

    def _refuse(self, status: HTTPStatus, why: str) -> None:
        self.close_connection = True  # a body that nobody read would be taken for the next request
        self._send(status, json.dumps({"error": why}).encode(), "application/json")

    def _send(self, status: HTTPStatus, content: bytes, kind: str | None) -> None:
        self._begin(status, kind)
        if status != HTTPStatus.NO_CONTENT:
            self.send_header("Content-Length", str(len(content)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(content)

    def _begin(self, status: HTTPStatus, kind: str | None) -> None:
        self.send_response(status)
        for name, value in _HEADERS.items():
            self.send_header(name, value)
        if kind is not None:
            self.send_header("Content-Type", kind)


def _page() -> bytes:
    return _resource("page.html").replace("<!-- avatar -->", draw(NEUTRAL).svg).encode()


def _resource(name: str) -> str:
    return (files("voxtoon.web") / name).read_text(encoding="utf-8")


def _number(query: dict[str, list[str]], name: str) -> int:
    given = query.get(name, [""])[0]
    if not (given.isdigit() and len(given) < 10):
        raise InputError(name, got=repr(given), expected="a whole number")
    return int(given)
