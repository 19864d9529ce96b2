"""PEP 249 over a datasite, so that `pandas.read_sql` and tools made for databases can ask.

    connection = parley.dbapi.connect("https://data.example.org", token=..., epsilon=0.1)
    pandas.read_sql("SELECT coins, AVG(mdvis) AS visits FROM randhie GROUP BY coins", connection)

What one question may cost is a setting of the connection. The same question of the same data is paid once. What tools ask to learn
of columns (`LIMIT 0`, `WHERE 1 = 0`, `SELECT 1`) is never charged. There are no transactions: what is charged stays charged, and
`commit` and `rollback` do nothing.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Sequence
from typing import Any, NoReturn

from . import errors
from .answer import Answer, Series
from .client import Site
from .client import connect as connect_site
from .probes import Probe
from .sql import asked_dataset, bound

apilevel = "2.0"
threadsafety = 2
"""Threads may share the module and connections."""
paramstyle = "qmark"


class Warning(Exception):
    """PEP 249 asks for it; it is not raised."""


class Error(Exception):
    """Everything that this module raises. `__cause__` is the error of `parley`, which says more."""


class InterfaceError(Error):
    """The module was not used as it has to be."""


class DatabaseError(Error):
    """The datasite refuses, or what it says is not believed."""


class DataError(DatabaseError):
    """A value cannot be bound."""


class OperationalError(DatabaseError):
    """Over budget, waiting for an owner, or out of reach."""


class IntegrityError(DatabaseError):
    """A receipt does not hold: the answer is not what the site's key signed."""


class InternalError(DatabaseError):
    """The datasite has failed."""


class ProgrammingError(DatabaseError):
    """The question cannot be answered, or the policy does not allow it."""


class NotSupportedError(DatabaseError):
    """A datasite has no such thing."""


_KINDS: list[tuple[type[errors.ParleyError], type[DatabaseError]]] = [
    (errors.InvalidReceipt, IntegrityError),
    (errors.InvalidQuestion, ProgrammingError),
    (errors.InvalidRequest, ProgrammingError),
    (errors.Forbidden, ProgrammingError),
    (errors.NotFound, ProgrammingError),
    (errors.InvalidArgument, ProgrammingError),
]


def _raise(error: errors.ParleyError) -> NoReturn:
    kind = next((ours for theirs, ours in _KINDS if isinstance(error, theirs)), OperationalError)
    raise kind(str(error)) from error


# Types.


class _Type:
    """A type of a column, which equals each of the names that a datasite has for it."""

    def __init__(self, *names: str) -> None:
        self._names = frozenset(names)

    def __eq__(self, other: object) -> bool:
        return other in self._names if isinstance(other, str) else other is self

    def __hash__(self) -> int:
        return hash(self._names)


STRING = _Type("text")
BINARY = _Type()
NUMBER = _Type("integer", "real", "boolean")
DATETIME = _Type("date", "timestamp")
ROWID = _Type()

Date = datetime.date
Time = datetime.time
Timestamp = datetime.datetime


def DateFromTicks(ticks: float) -> datetime.date:
    """The day of so many seconds since 1970, UTC."""
    return TimestampFromTicks(ticks).date()


def TimeFromTicks(ticks: float) -> datetime.time:
    """The time of day of so many seconds since 1970, UTC."""
    return TimestampFromTicks(ticks).time()


def TimestampFromTicks(ticks: float) -> datetime.datetime:
    """So many seconds since 1970, UTC."""
    return datetime.datetime.fromtimestamp(ticks, datetime.timezone.utc)


def Binary(value: bytes) -> NoReturn:
    """A datasite has no binary values."""
    raise NotSupportedError("a datasite has no binary values")


# Asking.


def connect(
    url: str | None = None,
    token: str | None = None,
    *,
    site: Site | None = None,
    dataset: str | None = None,
    epsilon: float | None = None,
    rho: float | None = None,
    error: float | str | None = None,
    group_size: float | None = None,
    intervals: bool = False,
    fresh: bool = False,
    wait: bool | float = False,
    purpose: str | None = None,
    **options: Any,
) -> Connection:
    """A connection whose questions cost what is said here.

    Parameters:
        url: Where the site is, and
        token: your token: as for `parley.connect`, which also has what `options` may hold (`key`, `timeout` and so on).
        site: A site that is connected already, in place of both.
        dataset: The dataset that is asked. None: the one that stands behind a question's `FROM`.
        epsilon: What each question may cost, as for `Dataset.ask`; or
        rho: likewise; or
        error: the error that it may have, relative to
        group_size: that many rows.
        intervals: Whether each estimate has its interval beside it, as columns `NAME_lower` and `NAME_upper`.
        fresh: Whether each question is paid anew.
        wait: Whether an owner's decision is waited for.
        purpose: What the answers are for.
    """
    spending = {"epsilon": epsilon, "rho": rho, "error": error, "group_size": group_size}
    settings = {**spending, "fresh": fresh, "wait": wait, "purpose": purpose}
    try:
        if site is None:
            return Connection(connect_site(url, token, **options), dataset, settings, intervals, owns_site=True)
    except errors.ParleyError as failure:
        _raise(failure)
    return Connection(site, dataset, settings, intervals, owns_site=False)


class Connection:
    """A site, and what a question of it may cost."""

    Warning = Warning
    Error = Error
    InterfaceError = InterfaceError
    DatabaseError = DatabaseError
    DataError = DataError
    OperationalError = OperationalError
    IntegrityError = IntegrityError
    InternalError = InternalError
    ProgrammingError = ProgrammingError
    NotSupportedError = NotSupportedError

    def __init__(self, site: Site, dataset: str | None, settings: dict[str, Any], intervals: bool, *, owns_site: bool) -> None:
        self.site = site
        self.settings = settings
        """What each question is asked with: `epsilon` and the other parameters of `Dataset.ask`. They may be changed."""
        self.intervals = intervals
        self._dataset = dataset
        self._owns_site = owns_site
        self._is_closed = False

    def cursor(self) -> Cursor:
        """A cursor, which asks."""
        self._check_open()
        return Cursor(self)

    def commit(self) -> None:
        """Does nothing: there are no transactions."""
        self._check_open()

    def rollback(self) -> None:
        """Does nothing: what was charged stays charged."""
        self._check_open()

    def close(self) -> None:
        """Ends the connection; nothing can be asked afterwards."""
        if self._owns_site and not self._is_closed:
            self.site.close()
        self._is_closed = True

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _check_open(self) -> None:
        if self._is_closed:
            raise InterfaceError("the connection is closed")

    def _ask(self, sql: str) -> Answer:
        self._check_open()
        dataset = self._dataset or asked_dataset(sql)
        probe = Probe.of(sql)
        if dataset is None and (probe is None or probe.literals is None):
            raise ProgrammingError("the question names no dataset: SELECT ... FROM DATASET")
        try:
            return self.site[dataset or ""].ask(sql, **self.settings)
        except errors.ParleyError as failure:
            _raise(failure)


class Cursor:
    """Asks questions, and gives their rows. `answer` is the last answer whole: intervals, receipt and notes."""

    arraysize = 1

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.answer: Answer | None = None
        self.description: list[tuple[str, str, None, None, None, None, bool]] | None = None
        self._rows: list[tuple[Any, ...]] = []
        self._next = 0
        self._is_closed = False

    @property
    def rowcount(self) -> int:
        """How many rows the last answer has; -1 before there is one."""
        return -1 if self.answer is None else len(self._rows)

    def execute(self, operation: str, parameters: Sequence[Any] = ()) -> Cursor:
        """Asks a question; each `?` in it stands for a parameter."""
        self._check_open()
        try:
            sql = bound(operation, parameters) if parameters or "?" in operation else operation
        except errors.InvalidArgument as failure:
            raise DataError(str(failure)) from failure
        answer = self.connection._ask(sql)
        series = answer.flat(intervals=self.connection.intervals, flags=False)
        self.answer = answer
        self.description = [(one.column.name, one.column.type, None, None, None, None, _can_be_null(one)) for one in series]
        self._rows = list(zip(*(one.values for one in series), strict=True))
        self._next = 0
        return self

    def executemany(self, operation: str, seq_of_parameters: Sequence[Sequence[Any]]) -> Cursor:
        """Asks once for each parameters; the rows are the last question's."""
        for parameters in seq_of_parameters:
            self.execute(operation, parameters)
        return self

    def fetchone(self) -> tuple[Any, ...] | None:
        """The next row; None behind the last."""
        rows = self.fetchmany(1)
        return rows[0] if rows else None

    def fetchmany(self, size: int | None = None) -> list[tuple[Any, ...]]:
        """So many next rows, `arraysize` unless said."""
        self._check_answer()
        rows = self._rows[self._next : self._next + (self.arraysize if size is None else size)]
        self._next += len(rows)
        return rows

    def fetchall(self) -> list[tuple[Any, ...]]:
        """All rows that are left."""
        return self.fetchmany(len(self._rows))

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        return iter(self.fetchone, None)

    def setinputsizes(self, sizes: Sequence[Any]) -> None:
        """Does nothing."""

    def setoutputsize(self, size: int, column: int | None = None) -> None:
        """Does nothing."""

    def close(self) -> None:
        """Ends the cursor."""
        self._is_closed = True

    def _check_open(self) -> None:
        if self._is_closed:
            raise InterfaceError("the cursor is closed")
        self.connection._check_open()

    def _check_answer(self) -> None:
        self._check_open()
        if self.answer is None:
            raise InterfaceError("nothing was asked yet")


def _can_be_null(series: Series) -> bool:
    return not series.column.is_key or any(value is None for value in series.values)
