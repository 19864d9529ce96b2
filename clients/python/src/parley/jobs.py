"""Requests that take a while: they wait for an owner, or are being computed."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, TextIO

from .answer import Answer
from .conversation import Released
from .errors import Denied, StillWaiting, TimedOut
from .http import AsyncConnection, Connection
from .messages import JobSummary, RequestEvent, RequestSummary

Progress = bool | Callable[[RequestEvent], object]
Result = Answer | Released
_QUESTIONS = (None, "questions")


class Job:
    """A request that was made, and what comes of it. `request` is how it stood when it was looked at last."""

    def __init__(self, connection: Connection, request: RequestSummary) -> None:
        self._connection = connection
        self.request = request

    @property
    def id(self) -> str:
        """The request's id."""
        return self.request.id

    def refresh(self) -> RequestSummary:
        """Where the request stands now."""
        self.request = self._run("request")
        return self.request

    def events(self, after: int = 0, timeout: float | None = None) -> Iterator[RequestEvent]:
        """What became of the request and what becomes of it, as it is told, until it stops.

        Parameters:
            after: Only events after the one with this number.
            timeout: For how long, in seconds; `TimedOut` is raised then. None: until it stops.
        """
        return self._connection.follow(self.id, after, timeout)

    def wait(self, timeout: float | None = None, *, progress: Progress = False) -> Result:
        """Waits until the request stops, and gives what was released: an `Answer` to a question, else `Released`.

        What was cut short is computed now, under the charge that stands.

        Parameters:
            timeout: For how long, in seconds; None: until it stops.
            progress: True shows the steps on standard error; a function is called with each event.

        Raises:
            Denied: It came to no answer: it was denied, lapsed or withdrawn.
            StillWaiting: The time is over, and the request goes on.
        """
        told = _telling(progress)
        try:
            for event in self.events(timeout=timeout):
                told(event)
        except TimedOut:
            raise _still_waiting(self.request) from None
        return self.result()

    def result(self) -> Result:
        """What was released, verified by its receipt; free.

        Raises:
            Denied: It came to no answer.
            StillWaiting: It waits for an owner.
        """
        _check(self.refresh())
        result: Result = self._run("answer" if self.request.engine in _QUESTIONS else "released")
        return result

    def cancel(self) -> JobSummary:
        """Withdraws the request. What it held is given back; what is being computed stays charged, and has no answer."""
        summary: JobSummary = self._run("cancel")
        return summary

    def _run(self, flow: str) -> Any:
        return self._connection.run(getattr(self._connection.conversation, flow)(self.id))

    def __repr__(self) -> str:
        return f"<Job {self.id}: {self.request.state}>"


class AsyncJob:
    """A request that was made, and what comes of it; as `Job`, with methods to be awaited."""

    def __init__(self, connection: AsyncConnection, request: RequestSummary) -> None:
        self._connection = connection
        self.request = request

    @property
    def id(self) -> str:
        """The request's id."""
        return self.request.id

    async def refresh(self) -> RequestSummary:
        """Where the request stands now."""
        self.request = await self._run("request")
        return self.request

    def events(self, after: int = 0) -> AsyncIterator[RequestEvent]:
        """What became of the request and what becomes of it, as it is told, until it stops."""
        return self._connection.follow(self.id, after)

    async def wait(self, timeout: float | None = None, *, progress: Progress = False) -> Result:
        """Waits until the request stops, and gives what was released: as `Job.wait`."""
        told = _telling(progress)

        async def listen() -> None:
            async for event in self.events():
                told(event)

        try:
            await asyncio.wait_for(listen(), timeout)
        except (asyncio.TimeoutError, TimeoutError):
            raise _still_waiting(self.request) from None
        return await self.result()

    async def result(self) -> Result:
        """What was released, verified by its receipt; free: as `Job.result`."""
        _check(await self.refresh())
        result: Result = await self._run("answer" if self.request.engine in _QUESTIONS else "released")
        return result

    async def cancel(self) -> JobSummary:
        """Withdraws the request: as `Job.cancel`."""
        summary: JobSummary = await self._run("cancel")
        return summary

    async def _run(self, flow: str) -> Any:
        return await self._connection.run(getattr(self._connection.conversation, flow)(self.id))

    def __repr__(self) -> str:
        return f"<AsyncJob {self.id}: {self.request.state}>"


def _check(request: RequestSummary) -> None:
    if request.state in ("denied", "lapsed", "cancelled"):
        raise Denied(request)
    if request.state == "pending":
        raise _still_waiting(request)


def _still_waiting(request: RequestSummary) -> StillWaiting:
    return StillWaiting(
        f"request {request.id} still goes on",
        "wait again, or fetch it later: site.job(id).wait(); to withdraw it: site.job(id).cancel()",
    )


def _telling(progress: Progress) -> Callable[[RequestEvent], object]:
    if callable(progress):
        return progress
    return _Line(sys.stderr) if progress else lambda event: None


class _Line:
    """Steps on one line of a terminal, or a line each where it is none."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._is_terminal = stream.isatty()
        self._width = 0

    def __call__(self, event: RequestEvent) -> None:
        from .rendering import escaped

        text = f"{event.state}, step {event.step} of {event.steps}" + (f": {event.words}" if event.words else "")
        text = escaped(text)
        if self._is_terminal:
            self._stream.write("\r" + text.ljust(self._width) + ("\n" if event.has_stopped else ""))
            self._width = len(text)
        else:
            self._stream.write(text + "\n")
        self._stream.flush()
