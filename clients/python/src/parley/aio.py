"""A datasite, seen from outside, with methods to be awaited."""

from __future__ import annotations

from typing import Any, overload

from . import logins
from .answer import Answer, Table
from .asking import question
from .conversation import Conversation, Options
from .errors import PendingApproval
from .http import AsyncConnection
from .jobs import AsyncJob, Result
from .messages import (
    BudgetReport,
    Column,
    DatasetDetail,
    DatasetSummary,
    Identity,
    JobSummary,
    Preview,
    RequestSummary,
    SiteDescription,
)
from .mockrows import mock_rows
from .questions import Epsilon
from .records import Budgets, Catalogue, Records


async def connect_async(
    url: str | None = None,
    token: str | None = None,
    *,
    key: str | None = None,
    certificate_authority: str | None = None,
    allow_plain_http: bool = False,
    timeout: float = 30.0,
    question_timeout: float = 600.0,
    retries: int = 2,
) -> AsyncSite:
    """Connects to a datasite, and checks its key, as `connect` does.

    Parameters:
        url: Where it is, such as `https://data.example.org`. None: `$PARLEY_URL`, else the one that you logged in to last.
        token: Your access token. None: `$PARLEY_TOKEN`, else that of your login.
        key: The site's Ed25519 key (base64), as its owner told it. None: the one that `parley login` (or `parley.login`) pinned;
            without a login the first key that the site shows, for as long as this connection lives.
        certificate_authority: A PEM file of the only authorities to trust for TLS; None: the system's.
        allow_plain_http: Whether the token may travel in plain HTTP to another machine.
        timeout: The longest wait, in seconds, for anything but answers.
        question_timeout: The longest wait, in seconds, for an answer; approval is not waited for.
        retries: How often a request whose connection broke, or that found the site busy, is sent again, under the same key.

    Raises:
        TransportError: Nothing believable came back.
        InvalidArgument: Something given cannot be meant.
    """
    login = logins.resolve(url, token, key, certificate_authority, allow_plain_http)
    options = Options(login.key, login.certificate_authority, allow_plain_http, question_timeout, timeout, retries)
    site = AsyncSite(login.url, login.token, options)
    try:
        await site.description()
    except BaseException:
        await site.close()
        raise
    return site


class AsyncSite:
    """A datasite: its catalogue, your budget, your history. `site["name"]` is a dataset to ask.

    Every method raises `Refusal` (the datasite refuses, and says why) or `TransportError` (nothing believable came back), each with
    a next step. Make one with `await parley.connect_async`.

    It is `Site` with methods to be awaited; `datasets` and `columns` are methods too.
    """

    def __init__(self, url: str, token: str | None, options: Options | None = None) -> None:
        self._conversation = Conversation(url, token, options or Options())
        self._connection = AsyncConnection(self._conversation)
        self._name = ""

    @property
    def url(self) -> str:
        """Where the site is."""
        return self._conversation.base

    @property
    def key(self) -> str | None:
        """The pinned key, by which every receipt is verified; None before the site's own was seen."""
        return self._conversation.key

    async def description(self) -> SiteDescription:
        """The site's name and key. A key that is not the pinned one is refused."""
        site = await self._connection.run(self._conversation.description())
        self._name = site.name
        return site

    async def identity(self) -> Identity:
        """Whose token it is."""
        return await self._connection.run(self._conversation.identity())

    async def datasets(self) -> Catalogue:
        """The datasets of the site."""
        return Catalogue(DatasetSummary, await self._connection.run(self._conversation.datasets()))

    def __getitem__(self, name: str) -> AsyncDataset:
        return AsyncDataset(self, name)

    async def budget(self) -> Budgets:
        """What was spent and what is left, for each population and each limit that binds you."""
        reports: list[BudgetReport] = await self._connection.run(self._conversation.budget())
        return Budgets(reports)

    async def history(self, *, state: str | None = None, before: str | None = None, limit: int = 1000) -> Records[RequestSummary]:
        """Requests, newest first. Parameters and errors are those of `Site.history`."""
        flow = self._conversation.requests(state=state, before=before, limit=limit)
        return Records(RequestSummary, await self._connection.run(flow))

    async def answer(self, request: str) -> Answer:
        """A released answer, again, verified by its receipt; free. A request that was approved meanwhile is computed now."""
        return await self._connection.run(self._conversation.answer(request))

    async def job(self, request: str) -> AsyncJob:
        """A request that was made before, by its id."""
        return AsyncJob(self._connection, await self._connection.run(self._conversation.request(request)))

    async def jobs(self, *, ended: bool = False, limit: int = 1000) -> Records[JobSummary]:
        """Requests that are under way or were cut short, newest first; those that have ended, too, if asked for."""
        flow = self._conversation.jobs(ended=ended, limit=limit)
        return Records(JobSummary, await self._connection.run(flow))

    async def submit(
        self,
        engine: str,
        request: Any,
        *,
        purpose: str | None = None,
        fresh: bool = False,
        idempotency_key: str | None = None,
    ) -> AsyncJob:
        """Asks for work of any kind that the site offers: training, evaluations and so on.

        Parameters and errors are those of `Site.submit`.
        """
        flow = self._conversation.submit(engine, request, purpose=purpose, fresh=fresh, key=idempotency_key)
        outcome = await self._connection.run(flow)
        if isinstance(outcome, RequestSummary):
            return AsyncJob(self._connection, outcome)
        return await self.job(outcome.receipt.request)

    async def preview(self, engine: str, request: Any, *, purpose: str | None = None) -> Preview:
        """What work of any kind would cost, and what is known of it beforehand; nothing is spent."""
        return await self._connection.run(self._conversation.preview_work(engine, request, purpose))

    async def proof(self, request: str) -> bytes:
        """That a release stands in the site's log: a `.tlog-proof`, which `parley receipt verify` checks offline.

        Parameters and errors are those of `Site.proof`.
        """
        return await self._connection.run(self._conversation.proof(request))

    async def close(self) -> None:
        """Closes the connections. Nothing can be asked afterwards."""
        await self._connection.close()

    async def __aenter__(self) -> AsyncSite:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.close()

    def __repr__(self) -> str:
        return f"<AsyncSite {self._name!r} at {self.url}>"


class AsyncDataset:
    """One dataset of a site. Nothing is sent until something is asked of it."""

    def __init__(self, site: AsyncSite, name: str) -> None:
        self._site = site
        self._conversation = site._conversation
        self._connection = site._connection
        self._detail: DatasetDetail | None = None
        self.name = name

    async def detail(self, *, refresh: bool = False) -> DatasetDetail:
        """Dictionary, policy and mock rows: all that is public. It is fetched once, and again if asked for."""
        if self._detail is None or refresh:
            self._detail = await self._connection.run(self._conversation.detail(self.name))
        return self._detail

    async def columns(self) -> Records[Column]:
        """The dictionary: what the owner declares of each column."""
        return Records(Column, (await self.detail()).columns)

    @overload
    async def mock(self, asked: int = 100) -> Answer: ...

    @overload
    async def mock(self, asked: str, **budget: Any) -> Answer: ...

    async def mock(self, asked: int | str = 100, **details: Any) -> Table:
        """So many made-up rows, or a question's answer on made-up rows; free.

        Parameters and errors are those of `Dataset.mock`.
        """
        if isinstance(asked, str):
            details.setdefault("default", Epsilon(1.0))
            return await self._connection.run(self._conversation.mock(question(self.name, asked, **details)))
        detail = await self.detail()
        if detail.mock_source is not None and detail.summary.kind == "private":
            table = await self.synthetic()
            return table.head(asked)
        return mock_rows(detail, asked)

    async def synthetic(self) -> Answer:
        """The synthetic table, if an owner released one: the same for all, with its receipt, and free."""
        return await self._connection.run(self._conversation.synthetic(self.name))

    async def preview(
        self,
        sql: str,
        *,
        epsilon: float | None = None,
        rho: float | None = None,
        error: float | str | None = None,
        group_size: float | None = None,
        selection_delta: float | None = None,
        groups_per_unit: int | None = None,
        rows_per_group: int | None = None,
        bounding_shares: bool | None = None,
        purpose: str | None = None,
        simultaneous: bool = False,
    ) -> Preview:
        """What a question would cost and how precise it would be; nothing is spent. Parameters are those of `ask`."""
        return await self._connection.run(
            self._conversation.preview(
                question(
                    self.name,
                    sql,
                    epsilon=epsilon,
                    rho=rho,
                    error=error,
                    group_size=group_size,
                    selection_delta=selection_delta,
                    groups_per_unit=groups_per_unit,
                    rows_per_group=rows_per_group,
                    bounding_shares=bounding_shares,
                    purpose=purpose,
                    simultaneous=simultaneous,
                )
            )
        )

    async def ask(
        self,
        sql: str,
        *,
        epsilon: float | None = None,
        rho: float | None = None,
        error: float | str | None = None,
        group_size: float | None = None,
        fresh: bool = False,
        wait: bool | float = False,
        selection_delta: float | None = None,
        groups_per_unit: int | None = None,
        rows_per_group: int | None = None,
        bounding_shares: bool | None = None,
        purpose: str | None = None,
        simultaneous: bool = False,
        idempotency_key: str | None = None,
    ) -> Answer:
        """Asks, at the stated cost, and verifies the receipt before it returns. As `Dataset.ask`."""
        asked = question(
            self.name,
            sql,
            epsilon=epsilon,
            rho=rho,
            error=error,
            group_size=group_size,
            selection_delta=selection_delta,
            groups_per_unit=groups_per_unit,
            rows_per_group=rows_per_group,
            bounding_shares=bounding_shares,
            purpose=purpose,
            simultaneous=simultaneous,
        )
        outcome = await self._connection.run(self._conversation.ask(asked, fresh=fresh, key=idempotency_key))
        if isinstance(outcome, Answer):
            return outcome
        job = AsyncJob(self._connection, outcome)
        if wait is False:
            raise PendingApproval(job)
        result: Result = await job.wait(None if wait is True else wait)
        assert isinstance(result, Answer)
        return result

    def __repr__(self) -> str:
        return f"<AsyncDataset {self.name!r} at {self._site.url}>"
