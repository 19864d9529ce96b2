"""The sockets: runs what `conversation` describes over httpx, waiting or not, with a deadline for each exchange."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import ssl
import threading
import time
from collections.abc import AsyncIterator, Coroutine, Iterator
from typing import Any, TypeVar

import httpcore
import httpx

from .conversation import Conversation, Flow, Following
from .errors import Interrupted, InvalidURL, NotADatasite, Refusal, TimedOut, TransportError, Unreachable, Untrusted
from .messages import RequestEvent
from .wire import Call, EventReader, Pause, Reply, refusal

T = TypeVar("T")
_AGAIN = "try again"
# Operations and times alone: no path, question, token or value.
_log = logging.getLogger("parley")


class _Deadline(threading.local):
    """When this thread's exchange must be over, on the clock of `time.monotonic`."""

    end: float | None = None


_deadline = _Deadline()


class _TimedStream(httpcore.NetworkStream):
    """A stream whose reads and writes end at the exchange's deadline: bytes that trickle have an end too."""

    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _left(timeout, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, _left(timeout, httpcore.WriteTimeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        left = _left(timeout, httpcore.ConnectTimeout)
        return _TimedStream(self._stream.start_tls(ssl_context, server_hostname, left))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class _TimedBackend(httpcore.NetworkBackend):
    def __init__(self) -> None:
        self._backend = httpcore.SyncBackend()

    def connect_tcp(self, *arguments: Any, **named: Any) -> httpcore.NetworkStream:
        return _TimedStream(self._backend.connect_tcp(*arguments, **named))

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


def _left(timeout: float | None, error: type[Exception]) -> float | None:
    if _deadline.end is None:
        return timeout
    left = _deadline.end - time.monotonic()
    if left <= 0:
        raise error("the time for the exchange is over")
    return left if timeout is None else min(timeout, left)


class _Transport(httpx.HTTPTransport):
    """HTTPX's own, on streams that know the exchange's deadline."""

    def __init__(self, context: ssl.SSLContext) -> None:
        super().__init__(verify=context, trust_env=False)
        self._pool = httpcore.ConnectionPool(
            ssl_context=context, max_connections=16, max_keepalive_connections=4, keepalive_expiry=30, network_backend=_TimedBackend()
        )


def _tls(certificate_authority: str | None) -> ssl.SSLContext:
    if certificate_authority is None:
        return ssl.create_default_context()
    try:
        return ssl.create_default_context(cafile=os.fspath(certificate_authority))
    except (OSError, ssl.SSLError):
        raise Untrusted(
            f"the certificate authority's file {certificate_authority!r} cannot be read", "give the path of a PEM file"
        ) from None


def _settings(conversation: Conversation) -> dict[str, Any]:
    # Nothing of the environment: a proxy or a password file named there would get the token.
    return {"base_url": conversation.base, "trust_env": False, "follow_redirects": False}


def _request(client: httpx.Client | httpx.AsyncClient, conversation: Conversation, call: Call) -> httpx.Request:
    return client.build_request(
        call.method,
        conversation.base + call.path,
        content=call.body,
        headers=conversation.headers(call),
        timeout=httpx.Timeout(call.timeout, connect=min(10.0, call.timeout)),
    )


def _too_large(base: str, call: Call) -> NotADatasite:
    size = f"{call.largest >> 20} MiB" if call.largest >= 1 << 20 else f"{call.largest} bytes"
    return NotADatasite(
        f"{base} sent more than the {size} that such an answer has at most",
        "check the URL: what answers there is something else",
    )


def _timed_out(base: str) -> TimedOut:
    return TimedOut(f"{base} did not answer in time", _AGAIN)


def _transport_error(error: BaseException, base: str) -> TransportError:
    """What went wrong on the way, as the errors of this package have it."""
    chain: list[BaseException] = []
    inner: BaseException | None = error
    while inner is not None and len(chain) < 16:
        chain.append(inner)
        inner = inner.__cause__ or inner.__context__
    if isinstance(error, (httpx.TimeoutException, TimeoutError, asyncio.TimeoutError)):
        return _timed_out(base)
    if isinstance(error, httpx.ConnectError):
        if any(isinstance(one, ssl.SSLError) for one in chain):
            return Untrusted(
                f"the TLS certificate of {base} is not trusted",
                "check the URL; for a private authority give its certificate (certificate_authority=...)",
            )
        return Unreachable(
            f"cannot connect to {base}",
            "check the URL, and that the datasite is running (its owner runs 'parley serve')",
        )
    if isinstance(error, (httpx.UnsupportedProtocol, httpx.InvalidURL)):
        return InvalidURL(f"{base!r} is not the URL of a datasite", "it looks like https://data.example.org")
    return Interrupted(f"the connection to {base} broke before the response was whole", _AGAIN)


def _reply(response: httpx.Response, body: bytes, call: Call, began: float) -> Reply:
    _log.debug("%s %d in %.0f ms", call.method, response.status_code, 1000 * (time.monotonic() - began))
    return Reply(response.status_code, {name.lower(): value for name, value in response.headers.items()}, body)


_BREAKS = (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL, OSError)


class Connection:
    """A conversation over sockets that are waited for."""

    def __init__(self, conversation: Conversation) -> None:
        self.conversation = conversation
        transport = _Transport(_tls(conversation.options.certificate_authority))
        self._client = httpx.Client(transport=transport, **_settings(conversation))

    def close(self) -> None:
        self._client.close()

    def run(self, flow: Flow[T]) -> T:
        """Runs a flow to its end."""
        try:
            step = next(flow)
            while True:
                try:
                    reply = self._step(step)
                except TransportError as error:
                    step = flow.throw(error)
                else:
                    step = flow.send(reply)
        except StopIteration as end:
            result: T = end.value
            return result

    def _step(self, step: Call | Pause) -> Reply | None:
        if isinstance(step, Pause):
            time.sleep(step.seconds)
            return None
        began = time.monotonic()
        with self._exchange(step, began + step.timeout) as response:
            body = bytearray()
            for part in response.iter_raw():
                body += part
                if len(body) > step.limit(response.status_code):
                    raise _too_large(self.conversation.base, step)
            return _reply(response, bytes(body), step, began)

    @contextlib.contextmanager
    def _exchange(self, call: Call, end: float | None) -> Iterator[httpx.Response]:
        before, _deadline.end = _deadline.end, end
        try:
            request = _request(self._client, self.conversation, call)
            response = self._client.send(request, stream=True)
            try:
                yield response
            finally:
                response.close()
        except _BREAKS as error:
            raise _transport_error(error, self.conversation.base) from error
        finally:
            _deadline.end = before

    def follow(self, request: str, after: int = 0, timeout: float | None = None) -> Iterator[RequestEvent]:
        """A request's events, until it stops; raises `TimedOut` when the time is over."""
        following = Following(after)
        end = None if timeout is None else time.monotonic() + timeout
        while True:
            reader = EventReader()
            call = self.conversation.events_call(request, following.last)
            try:
                with self._exchange(call, end) as response:
                    if response.status_code == 204:
                        return
                    self._check(response, call)
                    following.connected()
                    for part in response.iter_raw():
                        yield from following.take(reader.take(part))
                        if following.is_over:
                            return
            except (TransportError, Refusal) as error:
                if end is not None and time.monotonic() >= end:
                    raise _timed_out(self.conversation.base) from None
                following.failed(error)
            pause = following.pause()
            if end is not None and time.monotonic() + pause >= end:
                time.sleep(max(0.0, end - time.monotonic()))
                raise _timed_out(self.conversation.base)
            time.sleep(pause)

    def _check(self, response: httpx.Response, call: Call) -> None:
        if response.status_code != 200:
            body = bytearray()
            for part in response.iter_raw():
                body += part
                if len(body) > call.limit(response.status_code):
                    raise _too_large(self.conversation.base, call)
            raise refusal(_reply(response, bytes(body), call, time.monotonic()), self.conversation.base)


class AsyncConnection:
    """The same over sockets that asyncio waits for."""

    def __init__(self, conversation: Conversation) -> None:
        self.conversation = conversation
        context = _tls(conversation.options.certificate_authority)
        self._client = httpx.AsyncClient(verify=context, **_settings(conversation))

    async def close(self) -> None:
        await self._client.aclose()

    async def run(self, flow: Flow[T]) -> T:
        """Runs a flow to its end."""
        try:
            step = next(flow)
            while True:
                try:
                    reply = await self._step(step)
                except TransportError as error:
                    step = flow.throw(error)
                else:
                    step = flow.send(reply)
        except StopIteration as end:
            result: T = end.value
            return result

    async def _step(self, step: Call | Pause) -> Reply | None:
        if isinstance(step, Pause):
            await asyncio.sleep(step.seconds)
            return None
        return await self._within(self._whole(step), step.timeout)

    async def _within(self, exchange: Coroutine[Any, Any, T], timeout: float | None) -> T:
        """An exchange, until its time is over."""
        try:
            return await asyncio.wait_for(exchange, timeout)
        except (asyncio.TimeoutError, TimeoutError) as error:
            if isinstance(error, TransportError):
                raise
            raise _timed_out(self.conversation.base) from None

    async def _whole(self, call: Call) -> Reply:
        began = time.monotonic()
        async with self._exchange(call) as response:
            body = await self._body(response, call)
            return _reply(response, body, call, began)

    async def _body(self, response: httpx.Response, call: Call) -> bytes:
        body = bytearray()
        async for part in response.aiter_raw():
            body += part
            if len(body) > call.limit(response.status_code):
                raise _too_large(self.conversation.base, call)
        return bytes(body)

    @contextlib.asynccontextmanager
    async def _exchange(self, call: Call) -> AsyncIterator[httpx.Response]:
        try:
            request = _request(self._client, self.conversation, call)
            response = await self._client.send(request, stream=True)
            try:
                yield response
            finally:
                await response.aclose()
        except _BREAKS as error:
            raise _transport_error(error, self.conversation.base) from error

    async def follow(self, request: str, after: int = 0) -> AsyncIterator[RequestEvent]:
        """A request's events, until it stops."""
        following = Following(after)
        while True:
            reader = EventReader()
            call = self.conversation.events_call(request, following.last)
            try:
                async with self._exchange(call) as response:
                    if response.status_code == 204:
                        return
                    if response.status_code != 200:
                        body = await self._body(response, call)
                        raise refusal(_reply(response, body, call, time.monotonic()), self.conversation.base)
                    following.connected()
                    async for part in response.aiter_raw():
                        for event in following.take(reader.take(part)):
                            yield event
                        if following.is_over:
                            return
            except (TransportError, Refusal) as error:
                following.failed(error)
            await asyncio.sleep(following.pause())
