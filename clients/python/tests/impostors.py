"""Servers that are no datasites: they say what a test wants, cut what they should send, or take their time."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator

Answering = Callable[[socket.socket, bytes], None]


def response(body: bytes, status: str = "200 OK", **headers: str) -> bytes:
    """An HTTP response."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}"]
    named = {"content_type": "application/json", **headers}
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in named.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


def read_request(connection: socket.socket) -> bytes:
    """A request, head and body; nothing where the connection ends."""
    received = b""
    while b"\r\n\r\n" not in received:
        part = connection.recv(65536)
        if not part:
            return b""
        received += part
    head, body = received.split(b"\r\n\r\n", 1)
    length = next((int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")), 0)
    while len(body) < length:
        body += connection.recv(65536)
    return head + b"\r\n\r\n" + body


@contextlib.contextmanager
def impostor(answer: Answering) -> Iterator[str]:
    """A server that lets `answer` write what it likes to each request, and gives its URL."""
    listener = socket.create_server(("127.0.0.1", 0))
    ends = threading.Event()
    open_connections: list[socket.socket] = []

    def serve(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            while not ends.is_set():
                request = read_request(connection)
                if not request:
                    return
                answer(connection, request)

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            open_connections.append(connection)
            threading.Thread(target=serve, args=(connection,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        ends.set()
        # A close alone does not end what another thread waits for.
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for connection in open_connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()


def saying(body: bytes, status: str = "200 OK", **headers: str) -> Answering:
    """Always the same response."""
    return lambda connection, request: connection.sendall(response(body, status, **headers))


@contextlib.contextmanager
def cutting_proxy(url: str, path: bytes, cuts: int) -> Iterator[tuple[str, list[bytes]]]:
    """A proxy in front of a datasite that sends requests on, and cuts the replies to the first so many of `path` short.

    Gives its URL, and the requests of that path as they came.
    """
    host, port = url.removeprefix("http://").split(":")
    seen: list[bytes] = []

    def answer(connection: socket.socket, request: bytes) -> None:
        with socket.create_connection((host, int(port))) as site:
            site.sendall(request.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n", 1))
            reply = b""
            while part := site.recv(65536):
                reply += part
        if path in request.split(b"\r\n", 1)[0]:
            seen.append(request)
            if len(seen) <= cuts:
                connection.sendall(reply[: len(reply) // 2])
                connection.shutdown(socket.SHUT_RDWR)
                return
        connection.sendall(reply)
        connection.shutdown(socket.SHUT_RDWR)

    with impostor(answer) as address:
        yield address, seen
