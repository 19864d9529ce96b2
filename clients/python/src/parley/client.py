"""A datasite, seen from outside."""

from __future__ import annotations

from typing import Any, overload

from . import logins
from .answer import Answer, Table
from .asking import question
from .conversation import Conversation, Options
from .errors import PendingApproval
from .http import Connection
from .jobs import Job, Result
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


def connect(
    url: str | None = None,
    token: str | None = None,
    *,
    key: str | None = None,
    certificate_authority: str | None = None,
    allow_plain_http: bool = False,
    timeout: float = 30.0,
    question_timeout: float = 600.0,
    retries: int = 2,
) -> Site:
    """Connects to a datasite, and checks its key.

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
    site = Site(login.url, login.token, options)
    try:
        site.description()
    except BaseException:
        site.close()
        raise
    return site


def login(
    url: str,
    token: str,
    *,
    certificate_authority: str | None = None,
    accept_new_key: bool = False,
) -> Site:
    """Connects, and remembers URL, token and the site's key for later visits, as `parley login` does, in the same file.

    Compare `site.key` with what the owner tells you. A site that shows another key later is refused, unless `accept_new_key`.
    """
    given = logins.resolve(url, token, None, certificate_authority, False)
    key = None if accept_new_key else given.key
    site = Site(given.url, given.token, Options(key, given.certificate_authority))
    try:
        description, identity = site.description(), site.identity()
    except BaseException:
        site.close()
        raise
    found = logins.Login(given.url, given.token, description.public_key, given.certificate_authority)
    logins.remember(found, site_name=description.name, user=identity.name, role=identity.role)
    return site


class Site:
    """A datasite: its catalogue, your budget, your history. `site["name"]` is a dataset to ask.

    Every method raises `Refusal` (the datasite refuses, and says why) or `TransportError` (nothing believable came back), each with
    a next step. Make one with `parley.connect`.
    """

    def __init__(self, url: str, token: str | None, options: Options | None = None) -> None:
        self._conversation = Conversation(url, token, options or Options())
        self._connection = Connection(self._conversation)
        self._name = ""

    @property
    def url(self) -> str:
        """Where the site is."""
        return self._conversation.base

    @property
    def key(self) -> str | None:
        """The pinned key, by which every receipt is verified; None before the site's own was seen."""
        return self._conversation.key

    def description(self) -> SiteDescription:
        """The site's name and key. A key that is not the pinned one is refused."""
        site = self._connection.run(self._conversation.description())
        self._name = site.name
        return site

    def identity(self) -> Identity:
        """Whose token it is."""
        return self._connection.run(self._conversation.identity())

    @property
    def datasets(self) -> Catalogue:
        """The datasets of the site."""
        return Catalogue(DatasetSummary, self._connection.run(self._conversation.datasets()))

    def __getitem__(self, name: str) -> Dataset:
        return Dataset(self, name)

    def _ipython_key_completions_(self) -> list[str]:
        return self.datasets.names

    def budget(self) -> Budgets:
        """What was spent and what is left, for each population and each limit that binds you."""
        reports: list[BudgetReport] = self._connection.run(self._conversation.budget())
        return Budgets(reports)

    def history(self, *, state: str | None = None, before: str | None = None, limit: int = 1000) -> Records[RequestSummary]:
        """Requests, newest first.

        Parameters:
            state: Only those in this state, such as `released` or `pending`.
            before: Only those older than the request with this id.
            limit: At most so many, up to 1,000.
        """
        flow = self._conversation.requests(state=state, before=before, limit=limit)
        return Records(RequestSummary, self._connection.run(flow))

    def answer(self, request: str) -> Answer:
        """A released answer, again, verified by its receipt; free. A request that was approved meanwhile is computed now."""
        return self._connection.run(self._conversation.answer(request))

    def job(self, request: str) -> Job:
        """A request that was made before, by its id."""
        return Job(self._connection, self._connection.run(self._conversation.request(request)))

    def jobs(self, *, ended: bool = False, limit: int = 1000) -> Records[JobSummary]:
        """Requests that are under way or were cut short, newest first; those that have ended, too, if asked for."""
        flow = self._conversation.jobs(ended=ended, limit=limit)
        return Records(JobSummary, self._connection.run(flow))

    def submit(
        self,
        engine: str,
        request: Any,
        *,
        purpose: str | None = None,
        fresh: bool = False,
        idempotency_key: str | None = None,
    ) -> Job:
        """Asks for work of any kind that the site offers: training, evaluations and so on.

        Parameters:
            engine: The kind of work, such as `training`.
            request: What is asked, as JSON in the engine's own form: of `training` `{"plan": "..."}`, the text of a plan.
            purpose: What the answer is for: owners who decide read it.
            fresh: Whether it is done, and paid, anew. Else the same request of the same data is the same job, paid once.
            idempotency_key: Names this attempt, in place of the key that follows from the request.

        Returns:
            The job: `job.wait(progress=True)` gives what was released.
        """
        flow = self._conversation.submit(engine, request, purpose=purpose, fresh=fresh, key=idempotency_key)
        outcome = self._connection.run(flow)
        if isinstance(outcome, RequestSummary):
            return Job(self._connection, outcome)
        return self.job(outcome.receipt.request)

    def preview(self, engine: str, request: Any, *, purpose: str | None = None) -> Preview:
        """What work of any kind would cost, and what is known of it beforehand; nothing is spent."""
        return self._connection.run(self._conversation.preview_work(engine, request, purpose))

    def proof(self, request: str) -> bytes:
        """That a release stands in the site's log: a `.tlog-proof`, which `parley receipt verify` checks offline.

        Raises:
            NotFound: It is not in the log yet: ask again in a second.
        """
        return self._connection.run(self._conversation.proof(request))

    def close(self) -> None:
        """Closes the connections. Nothing can be asked afterwards."""
        self._connection.close()

    def __enter__(self) -> Site:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Site {self._name!r} at {self.url}>"


class Dataset:
    """One dataset of a site. Nothing is sent until something is asked of it."""

    def __init__(self, site: Site, name: str) -> None:
        self._site = site
        self._conversation = site._conversation
        self._connection = site._connection
        self._detail: DatasetDetail | None = None
        self.name = name

    def detail(self, *, refresh: bool = False) -> DatasetDetail:
        """Dictionary, policy and mock rows: all that is public. It is fetched once, and again if asked for."""
        if self._detail is None or refresh:
            self._detail = self._connection.run(self._conversation.detail(self.name))
        return self._detail

    @property
    def columns(self) -> Records[Column]:
        """The dictionary: what the owner declares of each column."""
        return Records(Column, (self.detail()).columns)

    @overload
    def mock(self, asked: int = 100) -> Table: ...

    @overload
    def mock(self, asked: str, **budget: Any) -> Answer: ...

    def mock(self, asked: int | str = 100, **details: Any) -> Table:
        """So many made-up rows, or a question's answer on made-up rows; free.

        `mock(100)` gives rows that are made up from the dictionary; of a synthetic table that the owner released, its first rows.
        `mock("SELECT ...", epsilon=0.5)` gives the question's answer on the site's made-up rows, with as much noise as an answer
        would have at that budget (epsilon 1 unless said).
        """
        if isinstance(asked, str):
            details.setdefault("default", Epsilon(1.0))
            return self._connection.run(self._conversation.mock(question(self.name, asked, **details)))
        detail = self.detail()
        if detail.mock_source is not None and detail.summary.kind == "private":
            table = self.synthetic()
            return table.head(asked)
        return mock_rows(detail, asked)

    def synthetic(self) -> Answer:
        """The synthetic table, if an owner released one: the same for all, with its receipt, and free."""
        return self._connection.run(self._conversation.synthetic(self.name))

    def preview(
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
        return self._connection.run(
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

    def ask(
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
        """Asks, at the stated cost, and verifies the receipt before it returns.

        The same question of the same data, with the same budget, is paid once: asked again, in this process or another, it gives the
        stored answer, free. A connection that breaks does not change that.

        Parameters:
            sql: One `SELECT`; docs/sql.md says what it may hold. One that is without rows (`LIMIT 0`, `SELECT 1`) is answered from
                plan and catalogue, and never charged.
            epsilon: Spend at most that epsilon.
            rho: Spend that rho, where the policy is zCDP or Rényi.
            error: Spend the least for this error, as a fraction or "2%", relative to `group_size` rows.
            fresh: Whether it is asked, and paid, anew, with other noise.
            wait: Whether an owner's decision is waited for, or for how many seconds; else `PendingApproval` is raised.
            selection_delta: The delta that selecting unknown group keys may use.
            groups_per_unit: In how many groups one unit may count: fewer than the manifest's bound, for less noise.
            rows_per_group: With how many rows in each.
            bounding_shares: False spends nothing on what bounding leaves out (else 1/20 of the budget).
            purpose: What the answer is for: owners who decide read it.
            simultaneous: Whether all intervals hold together with 95 %, not each by itself.
            idempotency_key: Names this attempt, in place of the key that follows from the question: 1 to 128 visible characters.

        Raises:
            OverBudget: The budget does not suffice; `error.left` says what would fit.
            NotAllowed: The owner's policy does not allow the question.
            InvalidQuestion: It cannot be answered, and where in its text.
            PendingApproval: It waits for an owner: `error.wait()`.
            Denied: An owner denied it, where it was waited for.
            InvalidReceipt: What came is not what the site's key signed.
        """
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
        outcome = self._connection.run(self._conversation.ask(asked, fresh=fresh, key=idempotency_key))
        if isinstance(outcome, Answer):
            return outcome
        job = Job(self._connection, outcome)
        if wait is False:
            raise PendingApproval(job)
        result: Result = job.wait(None if wait is True else wait)
        assert isinstance(result, Answer)
        return result

    def __repr__(self) -> str:
        return f"<Dataset {self.name!r} at {self._site.url}>"
