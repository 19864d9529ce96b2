"""The protocol without a socket: what is sent, and what came back, as values. Sync and async clients share all of it."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import urlsplit

from . import messages
from .errors import InvalidURL, NotADatasite, Refusal

T = TypeVar("T")

LARGEST_RESPONSE = 64 << 20
"""More than any answer or audit page, in bytes; a response beyond it is not from a datasite."""
LARGEST_TABLE = 512 << 20
"""More than any synthetic table: a million values."""
_LARGEST_REFUSAL = 64 << 10
_LARGEST_EVENT_LINE = 64 << 10


@dataclass(frozen=True)
class Call:
    """A request that is to be sent. `timeout` is for all of it, in seconds."""

    method: str
    path: str
    timeout: float
    body: bytes | None = None
    headers: tuple[tuple[str, str], ...] = ()
    largest: int = LARGEST_RESPONSE

    def limit(self, status: int) -> int:
        """How many bytes of a response are read. Why it was refused is told whole, however short an answer would be."""
        return self.largest if 200 <= status < 300 else max(self.largest, _LARGEST_REFUSAL)


@dataclass(frozen=True)
class Pause:
    """So many seconds are to pass before the next request."""

    seconds: float


@dataclass(frozen=True)
class Reply:
    """A response whose body is whole. Names of headers are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes = field(repr=False)


def site_url(url: str, has_token: bool, allow_plain_http: bool) -> str:
    """The URL of a datasite without a trailing slash: what a pinned key is kept under.

    `HOST[:PORT]` is completed: plain HTTP on this machine, HTTPS elsewhere.

    Raises:
        InvalidURL: It is none, or would carry the token in the clear.
    """
    try:
        text = url if "://" in url else ("http://" if _is_loopback(urlsplit("//" + url).hostname) else "https://") + url
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host, parts = None, urlsplit("")
    plain = url.isascii() and url.isprintable() and not any(mark in url for mark in '\\"<>^`{|} ')
    if not host or not plain or parts.scheme not in ("http", "https") or "@" in parts.netloc or parts.query or parts.fragment:
        shown = url if "@" not in url else "what was given"
        raise InvalidURL(
            f"{shown!r} is not the URL of a datasite",
            "it looks like https://data.example.org or http://127.0.0.1:8787, without a query or a password",
        )
    if parts.scheme == "http" and has_token and not allow_plain_http and not _is_loopback(host):
        raise InvalidURL(f"{url!r} would send your token over the network in the clear", "use https")
    return f"{parts.scheme}://{parts.netloc.lower()}{parts.path.rstrip('/')}"


def _is_loopback(host: str | None) -> bool:
    if host is None:
        return False
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def refusal(reply: Reply, base: str, question: str | None = None) -> Refusal | NotADatasite:
    """Why a response is no success: the problem document in it, or that there is none."""
    if reply.headers.get("content-type", "").startswith("application/problem+json"):
        try:
            return Refusal.of(json.loads(reply.body), question)
        except (ValueError, RecursionError, messages.Malformed):
            pass
    return NotADatasite(
        f"{base} answered with status {reply.status} and no problem document",
        "check that the URL is a datasite's, and what a proxy in between says",
    )


def parsed(body: bytes, reading: Callable[[Any], T], what: str) -> T:
    """What a body holds, in the way that it is read.

    Raises:
        NotADatasite: It is not what was expected.
    """
    try:
        value = json.loads(body, parse_constant=_no_constant)
        if b"\\u" in body:
            # Half of a surrogate pair is no text; Python alone would take it.
            json.dumps(value, ensure_ascii=False).encode()
        return reading(value)
    except (ValueError, KeyError, TypeError, RecursionError, messages.Malformed):
        raise NotADatasite(
            f"the response is not the {what} that was expected",
            "check that the URL is a datasite's and that it speaks version 1 of the protocol",
        ) from None


def _no_constant(text: str) -> float:
    raise ValueError(f"{text} is no JSON")


class EventReader:
    """Server-sent events (HTML, section 9.2.6) that are request events, from bytes as they come."""

    def __init__(self) -> None:
        self._rest = b""
        self._data = b""

    def take(self, received: bytes) -> list[messages.RequestEvent]:
        """The events that are whole now.

        Raises:
            NotADatasite: What came is no event of a datasite.
        """
        *lines, self._rest = (self._rest + received).split(b"\n")
        if len(self._rest) + len(self._data) > _LARGEST_EVENT_LINE:
            raise _no_event()
        events: list[messages.RequestEvent] = []
        for line in lines:
            line = line.removesuffix(b"\r")
            if len(line) + len(self._data) > _LARGEST_EVENT_LINE:
                raise _no_event()
            if not line and self._data:
                data, self._data = self._data, b""
                try:
                    events.append(messages.read(messages.RequestEvent, json.loads(data)))
                except (ValueError, RecursionError, messages.Malformed):
                    raise _no_event() from None
            elif line.startswith(b"data:"):
                self._data += line[5:].removeprefix(b" ")
        return events


def _no_event() -> NotADatasite:
    return NotADatasite(
        "the event stream is not of the kind that was expected",
        "check that the URL is a datasite's and that it speaks version 1 of the protocol",
    )
