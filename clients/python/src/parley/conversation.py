"""What a client says to a datasite and what it believes of the replies, as generators that know no socket.

Each yields a `Call` to be sent (and is sent the `Reply`) or a `Pause`, and returns its result. What went wrong on the way is
thrown into it. So there is one description of retries, pinned keys and receipts, which sync and async clients run.
"""

from __future__ import annotations

import dataclasses
import json
import threading
import uuid
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import quote

from . import messages
from .answer import Answer
from .errors import Busy, Interrupted, InvalidArgument, InvalidReceipt, Refusal, TimedOut, TransportError, Unreachable
from .messages import (
    BudgetReport,
    DatasetDetail,
    DatasetSummary,
    Identity,
    JobSummary,
    Preview,
    RequestSummary,
    SiteDescription,
)
from .probes import Probe
from .questions import Question, attempt_key, encoded
from .receipts import Receipt, decode_header, public_key
from .wire import LARGEST_TABLE, Call, Pause, Reply, parsed, refusal, site_url

T = TypeVar("T")
Flow = Generator[Call | Pause, Any, T]


@dataclass(frozen=True)
class Options:
    """How a client trusts and waits.

    Parameters:
        key: The site's Ed25519 key (base64), as its owner or an earlier visit told it. None: the first key that the site shows
            to this client is trusted for as long as the client lives.
        certificate_authority: A PEM file of the only authorities to trust for TLS; None: the system's.
        allow_plain_http: Whether a token may travel in plain HTTP to another machine.
        question_timeout: The longest wait for an answer, in seconds; approval is not waited for.
        timeout: The longest wait for anything else, in seconds.
        retries: How often a request whose connection broke, or that found the site busy, is sent again, under the same key.
    """

    key: str | None = None
    certificate_authority: str | None = None
    allow_plain_http: bool = False
    question_timeout: float = 600.0
    timeout: float = 30.0
    retries: int = 2

    def __post_init__(self) -> None:
        if not (self.timeout > 0 and self.question_timeout > 0 and self.retries >= 0):
            raise InvalidArgument("timeouts are above 0, and retries 0 or more")
        if self.key is not None:
            public_key(self.key)


@dataclass(frozen=True)
class Released:
    """What was released for a request of any kind; its receipt was verified. The digest in the receipt is of `document`."""

    document: bytes = dataclasses.field(repr=False)
    receipt: Receipt

    def json(self) -> Any:
        """The document, as its engine writes it."""
        return json.loads(self.document)


class Conversation:
    """One client's side of the protocol with one site: its URL, its token, its pinned key."""

    def __init__(self, url: str, token: str | None, options: Options) -> None:
        if token is not None and not (token.isascii() and token.isprintable() and " " not in token and token):
            raise InvalidArgument("this is no token of a datasite", "a token starts with parley_; its owner makes one")
        self.base = site_url(url, token is not None, options.allow_plain_http)
        self.options = options
        self._token = token
        self._pinned = options.key
        self._lock = threading.Lock()

    def headers(self, call: Call) -> dict[str, str]:
        """What a call is sent with. The token is in here, and nowhere else."""
        headers = {
            "Accept": "application/json, application/problem+json",
            "Accept-Encoding": "identity",
            "User-Agent": "parley-client",
            **dict(call.headers),
        }
        if call.body is not None:
            headers.setdefault("Content-Type", "application/json")
        if self._token is not None:
            headers["Authorization"] = f"Bearer {self._token}"
        return headers

    # One exchange, with its retries.

    def _exchange(self, call: Call, question: str | None = None) -> Flow[Reply]:
        """Sends a call until something whole came back. Whatever is charged is sent under one key, and so paid once."""
        broken: Interrupted | None = None
        attempt = 0
        while True:
            again = attempt < self.options.retries
            pause = 0.2 * 2**attempt
            attempt += 1
            try:
                reply: Reply = yield call
            except Interrupted as error:
                if not again:
                    raise
                broken = error
            except Unreachable:
                # That nobody listens any more must not hide that the request had been sent.
                if broken is not None:
                    raise broken from None
                raise
            else:
                if 200 <= reply.status < 300:
                    return reply
                problem = refusal(reply, self.base, question)
                seconds = reply.headers.get("retry-after", "")
                # Nothing was charged.
                if not (again and isinstance(problem, Busy) and seconds.isdigit() and int(seconds) <= 10):
                    raise problem
                pause = float(seconds)
            yield Pause(pause)

    def _get(self, path: str, *, timeout: float | None = None, largest: int | None = None) -> Flow[bytes]:
        call = Call("GET", path, timeout or self.options.timeout)
        if largest is not None:
            call = dataclasses.replace(call, largest=largest)
        reply = yield from self._exchange(call)
        return reply.body

    def _one(self, kind: type[T], path: str) -> Flow[T]:
        body = yield from self._get(path)
        return parsed(body, lambda value: messages.read(kind, value), kind.__name__)

    def _all(self, kind: type[T], path: str) -> Flow[list[T]]:
        body = yield from self._get(path)
        return parsed(body, lambda value: messages.read_all(kind, value), f"list of {kind.__name__}")

    # The site.

    @property
    def key(self) -> str | None:
        """The pinned key; None before the site's own was seen."""
        return self._pinned

    def description(self) -> Flow[SiteDescription]:
        """The site's name and key. A key that is not the pinned one is refused."""
        site = yield from self._one(SiteDescription, "/v1/site")
        public_key(site.public_key)
        with self._lock:
            if self._pinned is None:
                self._pinned = site.public_key
        if self._pinned != site.public_key:
            raise InvalidReceipt(
                f"the site shows the key {site.public_key}, but its key was pinned as {self._pinned}",
                "if the owner says that the key changed, connect with the new one; otherwise someone may stand in between",
            )
        return site

    def _trusted(self) -> Flow[str]:
        """The pinned key; the site's own is pinned now if none was."""
        if self._pinned is None:
            yield from self.description()
        assert self._pinned is not None
        return self._pinned

    def identity(self) -> Flow[Identity]:
        return self._one(Identity, "/v1/whoami")

    def datasets(self) -> Flow[list[DatasetSummary]]:
        return self._all(DatasetSummary, "/v1/datasets")

    def detail(self, dataset: str) -> Flow[DatasetDetail]:
        return self._one(DatasetDetail, f"/v1/datasets/{_escaped(dataset)}")

    def budget(self) -> Flow[list[BudgetReport]]:
        return self._all(BudgetReport, "/v1/budget")

    def synthetic(self, dataset: str) -> Flow[Answer]:
        """A dataset's synthetic table, if its owner released one: the same for all, and free."""
        key = yield from self._trusted()
        reply = yield from self._exchange(
            Call(
                "GET",
                f"/v1/datasets/{_escaped(dataset)}/synthetic",
                self.options.question_timeout,
                largest=LARGEST_TABLE,
            )
        )
        released = self._verified(reply.body, _receipt_of(reply), key)
        if dataset not in released.receipt.datasets:
            raise _other_request()
        return Answer.of(released.document, released.receipt)

    # Questions.

    def preview(self, question: Question) -> Flow[Preview]:
        """Cost and expected error; nothing is spent."""
        reply = yield from self._exchange(Call("POST", "/v1/preview", self.options.timeout, question.body()), question.sql)
        return parsed(reply.body, lambda value: messages.read(Preview, value), "Preview")

    def mock(self, question: Question) -> Flow[Answer]:
        """An answer on made-up rows, free of charge and without a receipt."""
        reply = yield from self._exchange(Call("POST", "/v1/mock", self.options.question_timeout, question.body()), question.sql)
        return Answer.of(reply.body, None)

    def ask(self, question: Question, *, fresh: bool, key: str | None) -> Flow[Answer | RequestSummary]:
        """Asks, and verifies the receipt before it returns; a request that waits for an owner comes as its summary."""
        if (probe := Probe.of(question.sql)) is not None:
            return (yield from self.probe(probe, question))
        trusted = yield from self._trusted()
        is_derived = not fresh and key is None
        if is_derived:
            catalogue = yield from self.datasets()
            key = attempt_key(question.members(), f"{question.dataset} {question.sql}", catalogue)
        reply = yield from self._charged("/v1/ask", question.body(), key, question.sql, is_derived=is_derived)
        if reply.status == 202:
            return parsed(reply.body, lambda value: messages.read(RequestSummary, value), "RequestSummary")
        released = self._verified(reply.body, _receipt_of(reply), trusted, question)
        return Answer.of(released.document, released.receipt)

    def probe(self, probe: Probe, question: Question) -> Flow[Answer]:
        """What a tool asks to learn of columns, or whether anybody is there: answered without rows, and never charged."""
        if probe.literals is not None:
            return probe.literal_answer()
        if probe.is_star:
            detail = yield from self.detail(question.dataset)
            return probe.catalogue_answer(detail)
        preview = yield from self.preview(question)
        return probe.empty_answer(preview)

    def _charged(self, path: str, body: bytes, key: str | None, sql: str | None, *, is_derived: bool) -> Flow[Reply]:
        """Sends what is charged under a key. Where it is not known what became of it, the error says how to find out unpaid."""
        key = key or str(uuid.uuid4())
        headers = (("Idempotency-Key", key),)
        try:
            return (yield from self._exchange(Call("POST", path, self.options.question_timeout, body, headers), sql))
        except (Interrupted, TimedOut) as error:
            again = "ask the same again" if is_derived else f"ask the same again with idempotency_key={key!r}"
            raise type(error)(error.detail, f"{again}: it is not charged twice") from error
        except Refusal as error:
            # What was denied, lapsed or withdrawn, or went wrong for good: the site says to take a new key.
            if is_derived and error.hint is not None and "key" in error.hint:
                charged = "nothing was charged; " if "nothing was charged" in error.hint else ""
                hint = charged + "to ask anew: fresh=True, or idempotency_key=... to name the attempt, which is then paid once"
                raise type(error)(error.detail, hint, code=error.code, title=error.title, status=error.status) from None
            raise

    # Work of other kinds.

    def submit(self, engine: str, request: Any, *, purpose: str | None, fresh: bool, key: str | None) -> Flow[Released | RequestSummary]:
        """Asks for work of any kind, and verifies the receipt of what comes at once."""
        trusted = yield from self._trusted()
        is_derived = not fresh and key is None
        body = _work(engine, request, purpose)
        if is_derived:
            catalogue = yield from self.datasets()
            key = _work_key(body, catalogue)
        reply = yield from self._charged("/v1/requests", body, key, None, is_derived=is_derived)
        if reply.status == 202:
            return parsed(reply.body, lambda value: messages.read(RequestSummary, value), "RequestSummary")
        released = self._verified(reply.body, _receipt_of(reply), trusted)
        if released.receipt.engine != engine:
            raise _other_request()
        return released

    def preview_work(self, engine: str, request: Any, purpose: str | None) -> Flow[Preview]:
        """What work of any kind would cost; nothing is spent."""
        body = _work(engine, request, purpose)
        reply = yield from self._exchange(Call("POST", "/v1/requests/preview", self.options.question_timeout, body))
        return parsed(reply.body, lambda value: messages.read(Preview, value), "Preview")

    def released(self, request: str) -> Flow[Released]:
        """What was released for a request, verified by its receipt. What was approved meanwhile is computed now."""
        trusted = yield from self._trusted()
        path = f"/v1/requests/{_escaped(request)}"
        document = yield from self._get(path + "/answer", timeout=self.options.question_timeout)
        receipt = yield from self._get(path + "/receipt")
        released = self._verified(document, receipt, trusted)
        if released.receipt.request != request:
            raise _other_request()
        return released

    def answer(self, request: str) -> Flow[Answer]:
        """A released answer, again, verified by its receipt; free."""
        released = yield from self.released(request)
        return Answer.of(released.document, released.receipt)

    # Requests and jobs.

    def requests(self, *, state: str | None, before: str | None, limit: int) -> Flow[list[RequestSummary]]:
        filters = [f"{name}={_escaped(value)}" for name, value in (("state", state), ("before", before)) if value]
        return self._all(RequestSummary, "/v1/requests?" + "&".join([*filters, f"limit={int(limit)}"]))

    def request(self, request: str) -> Flow[RequestSummary]:
        return self._one(RequestSummary, f"/v1/requests/{_escaped(request)}")

    def jobs(self, *, ended: bool, limit: int) -> Flow[list[JobSummary]]:
        return self._all(JobSummary, f"/v1/jobs?all={'true' if ended else 'false'}&limit={int(limit)}")

    def cancel(self, request: str) -> Flow[JobSummary]:
        reply = yield from self._exchange(Call("POST", f"/v1/jobs/{_escaped(request)}/cancel", self.options.timeout, b"{}"))
        return parsed(reply.body, lambda value: messages.read(JobSummary, value), "JobSummary")

    def proof(self, request: str) -> Flow[bytes]:
        """That a request's release stands in the site's log: a `.tlog-proof`, to be verified offline by `parley receipt verify`."""
        return self._get(f"/v1/requests/{_escaped(request)}/proof")

    def events_call(self, request: str, after: int) -> Call:
        """The stream of what becomes of a request. A comment every 15 seconds keeps it alive."""
        headers = (("Last-Event-ID", str(after)), ("Accept", "text/event-stream, application/problem+json"))
        return Call("GET", f"/v1/requests/{_escaped(request)}/events", 60.0, None, headers)

    # Trust.

    def _verified(self, document: bytes, receipt: bytes, key: str, question: Question | None = None) -> Released:
        read = Receipt.of(receipt, document, question)
        read.verify(key)
        return Released(document, read)


class Following:
    """How the events of one request are followed, over as many connections as it takes. Nothing is told twice."""

    def __init__(self, after: int = 0) -> None:
        self.last = after
        self.is_over = False
        self._was_connected = False
        self._pause = 0.5

    def connected(self) -> None:
        self._was_connected = True

    def take(self, events: list[messages.RequestEvent]) -> list[messages.RequestEvent]:
        """Those that are news."""
        news = []
        for event in events:
            # The event in whose place an interruption stands was told before.
            if self.is_over or event.number < self.last:
                continue
            if event.number == self.last and event.state != "interrupted":
                continue
            self.last, self._pause = event.number, 0.5
            self.is_over = event.has_stopped
            news.append(event)
        return news

    def failed(self, error: TransportError | Refusal) -> None:
        """Goes on where the site may only be starting again, or has no room for another stream; else raises the error."""
        if isinstance(error, Busy) or (self._was_connected and isinstance(error, (TimedOut, Interrupted, Unreachable))):
            return
        raise error

    def pause(self) -> float:
        """How long to wait, in seconds, before the next connection."""
        pause = self._pause
        self._pause = min(pause * 1.5, 30.0)
        return pause


def _work(engine: str, request: Any, purpose: str | None) -> bytes:
    members = {"engine": engine, "request": request}
    return encoded(members if purpose is None else members | {"purpose": purpose})


def _work_key(body: bytes, catalogue: list[DatasetSummary]) -> str:
    """The key of work of any kind; a question that is asked so is the same request as by `ask`."""
    work = json.loads(body)
    if work["engine"] != "questions" or not isinstance(work["request"], dict):
        return attempt_key(work, body.decode(), catalogue)
    question = work["request"] | ({"purpose": work["purpose"]} if "purpose" in work else {})
    return attempt_key(question, f"{question.get('dataset')} {question.get('sql')}", catalogue)


def _receipt_of(reply: Reply) -> bytes:
    header = reply.headers.get("parley-receipt")
    try:
        if header is not None:
            return decode_header(header)
    except ValueError:
        pass
    raise InvalidReceipt("the answer came without a receipt", "do not rely on it; tell the site's owner")


def _other_request() -> InvalidReceipt:
    return InvalidReceipt(
        "the receipt is about another question than the one that was asked",
        "do not rely on this answer; keep both files and tell the site's owner",
    )


def _escaped(component: str) -> str:
    return quote(component, safe="-._~")
