"""Answers as tables: values with the 95 % intervals of their privacy noise."""

from __future__ import annotations

import dataclasses
import datetime
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from . import messages
from .errors import InvalidArgument
from .messages import AnswerColumn, Guarantees, Loss, Malformed, read
from .wire import parsed

if TYPE_CHECKING:
    from .receipts import Receipt

Array = npt.NDArray[Any]
SUFFIXES = ("_lower", "_upper", "_flags")


@dataclass(frozen=True)
class Estimate:
    """One value, with the 95 % interval of its privacy noise and what marks it. A key has neither."""

    value: Any
    lower: Any = None
    upper: Any = None
    flags: tuple[str, ...] = ()

    def __float__(self) -> float:
        return float("nan") if self.value is None else float(self.value)


@dataclass
class Series:
    """A column's cells: values, and of estimates the ends of their intervals and their flags, row by row."""

    column: AnswerColumn
    values: list[Any] = field(default_factory=list)
    lower: list[Any] = field(default_factory=list)
    upper: list[Any] = field(default_factory=list)
    flags: list[tuple[str, ...]] = field(default_factory=list)

    @property
    def has_intervals(self) -> bool:
        return any(end is not None for end in self.lower)

    def add(self, cell: Any) -> None:
        """Takes a cell as the site sent it."""
        kind = self.column.type
        self.values.append(_value(cell["value"], kind))
        if not self.column.is_key:
            self.lower.append(_end(cell.get("lower"), kind))
            self.upper.append(_end(cell.get("upper"), kind))
            flags = cell.get("flags") or []
            if not all(isinstance(flag, str) for flag in flags):
                raise Malformed("a flag is no text")
            self.flags.append(tuple(flags))

    def array(self) -> Array:
        """The values as NumPy has them: what is null is NaN, NaT, or None in an array of objects."""
        return _array(self.values, self.column.type)

    def ends(self) -> tuple[Array, Array]:
        """The intervals' ends. Of numbers they are floats: they can be infinite."""
        kind = self.column.type if self.column.type in ("date", "timestamp") else "real"
        return _array(self.lower, kind), _array(self.upper, kind)


class Table:
    """Columns and rows: keys, which are exact, and estimates with their intervals.

    `table["visits"]` is a column's values as a NumPy array; `lower`, `upper` and `interval` are its intervals; iterating gives
    rows. It becomes a table of pandas, polars or Arrow, and draws itself.
    """

    def __init__(self, series: Sequence[Series], rows: int) -> None:
        self._series = list(series)
        self._rows = rows

    # What is in it.

    @property
    def columns(self) -> tuple[AnswerColumn, ...]:
        """The columns, in the question's order."""
        return tuple(series.column for series in self._series)

    @property
    def names(self) -> list[str]:
        """The columns' names."""
        return [series.column.name for series in self._series]

    @property
    def keys(self) -> list[str]:
        """The names of the columns that are exact."""
        return [column.name for column in self.columns if column.is_key]

    @property
    def estimates(self) -> list[str]:
        """The names of the columns that are noisy."""
        return [column.name for column in self.columns if not column.is_key]

    def series(self, name: str) -> Series:
        """A column's cells, by its name."""
        for series in self._series:
            if series.column.name == name:
                return series
        raise KeyError(f"there is no column {name!r}; there are {', '.join(self.names)}")

    def __getitem__(self, name: str) -> Array:
        return self.series(name).array()

    def lower(self, name: str) -> Array:
        """The lower ends of a column's intervals."""
        return self.series(name).ends()[0]

    def upper(self, name: str) -> Array:
        """The upper ends of a column's intervals."""
        return self.series(name).ends()[1]

    def interval(self, name: str) -> tuple[Array, Array]:
        """Both ends of a column's intervals."""
        return self.series(name).ends()

    def cell(self, row: int, name: str) -> Estimate:
        """One value with its interval and its flags."""
        series = self.series(name)
        if series.column.is_key:
            return Estimate(series.values[row])
        return Estimate(series.values[row], series.lower[row], series.upper[row], series.flags[row])

    @property
    def value(self) -> Estimate:
        """The estimate of an answer that is one number: one row, and one column that is no key."""
        if self._rows != 1 or len(self.estimates) != 1:
            raise InvalidArgument(
                f"this is not one number but {self._rows} rows of {len(self.estimates)} estimates",
                "use cell(row, name), or a column: table[name]",
            )
        return self.cell(0, self.estimates[0])

    def _ipython_key_completions_(self) -> list[str]:
        return self.names

    def __len__(self) -> int:
        return self._rows

    def __bool__(self) -> bool:
        return True

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        columns = [series.values for series in self._series]
        return (tuple(values[row] for values in columns) for row in range(self._rows))

    def _first(self, rows: int) -> list[Series]:
        """The columns' first rows."""
        return [Series(s.column, s.values[:rows], s.lower[:rows], s.upper[:rows], s.flags[:rows]) for s in self._series]

    def head(self, rows: int = 5) -> Table:
        """The first rows, as a table without what belongs to the whole answer."""
        return Table(self._first(rows), min(rows, self._rows))

    # As tables of others.

    def flat(self, *, intervals: bool = True, flags: bool = True, suffixes: Sequence[str] = SUFFIXES) -> list[Series]:
        """The columns with their intervals and flags as columns of their own, each as values alone. No two have one name."""
        if len(suffixes) not in (2, 3):
            raise InvalidArgument("suffixes are for lower, upper and flags", 'such as ("_lower", "_upper", "_flags")')
        found: list[Series] = []
        for series in self._series:
            name, kind = series.column.name, series.column.type
            found.append(_with_plain_values(series))
            if series.column.is_key:
                continue
            end = kind if kind in ("date", "timestamp") else "real"
            if intervals and series.has_intervals:
                found.append(Series(AnswerColumn(name + suffixes[0], end, False), series.lower))
                found.append(Series(AnswerColumn(name + suffixes[1], end, False), series.upper))
            if flags and len(suffixes) == 3 and any(series.flags):
                words = [" ".join(flags) or None for flags in series.flags]
                found.append(Series(AnswerColumn(name + suffixes[2], "text", False), words))
        return _with_unique_names(found)

    def to_pandas(self, *, intervals: bool = True, flags: bool = True, suffixes: Sequence[str] = SUFFIXES) -> Any:
        """A pandas `DataFrame`. An estimate `n` has its interval beside it, as `n_lower` and `n_upper`, and what marks it as `n_flags`.

        Parameters:
            intervals: Whether intervals are columns.
            flags: Whether flags are, where there is any.
            suffixes: What the columns of lower ends, upper ends and flags are called behind the estimate's name.
        """
        import pandas

        found = self.flat(intervals=intervals, flags=flags, suffixes=suffixes)
        return pandas.DataFrame({series.column.name: _pandas_column(series) for series in found})

    def to_polars(self, *, intervals: bool = True, flags: bool = True, suffixes: Sequence[str] = SUFFIXES) -> Any:
        """A polars `DataFrame`, with intervals and flags as `to_pandas` has them."""
        import polars

        kinds: dict[str, Any] = {
            "integer": polars.Int64,
            "real": polars.Float64,
            "boolean": polars.Boolean,
            "date": polars.Date,
            "timestamp": polars.Datetime("us", "UTC"),
        }
        found = self.flat(intervals=intervals, flags=flags, suffixes=suffixes)
        return polars.DataFrame(
            [polars.Series(series.column.name, series.values, dtype=kinds.get(_kind(series), polars.String)) for series in found]
        )

    def to_arrow(self, *, intervals: bool = True, flags: bool = True, suffixes: Sequence[str] = SUFFIXES) -> Any:
        """An Arrow table (`pyarrow.Table`), with intervals and flags as `to_pandas` has them."""
        import pyarrow

        kinds = {
            "integer": pyarrow.int64(),
            "real": pyarrow.float64(),
            "boolean": pyarrow.bool_(),
            "date": pyarrow.date32(),
            "timestamp": pyarrow.timestamp("s", "UTC"),
        }
        found = self.flat(intervals=intervals, flags=flags, suffixes=suffixes)
        return pyarrow.table(
            {series.column.name: pyarrow.array(series.values, type=kinds.get(_kind(series), pyarrow.string())) for series in found}
        )

    def __dataframe__(self, nan_as_null: bool = False, allow_copy: bool = True) -> Any:
        """The interchange protocol of data frames, by pyarrow, pandas or polars, whichever is there."""
        for convert in (self.to_arrow, self.to_pandas, self.to_polars):
            try:
                table = convert()
            except ImportError:
                continue
            return table.__dataframe__(nan_as_null=nan_as_null, allow_copy=allow_copy)
        raise ImportError("the interchange protocol needs pyarrow, pandas or polars: pip install 'parley-client[tables]'")

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
        """The table as a stream of Arrow's C data interface, for whatever reads that."""
        return self.to_arrow().__arrow_c_stream__(requested_schema)

    # For people.

    def plot(self, column: str | None = None, *, ax: Any = None) -> Any:
        """Draws estimates with their 95 % intervals as error bars, against the keys (matplotlib).

        Parameters:
            column: The estimate, or the name of a histogram; None: the first one.
            ax: The axes to draw on; None: new ones.

        Returns:
            The axes.
        """
        from .plotting import plot

        return plot(self, column, ax)

    def __repr__(self) -> str:
        from .rendering import table_text

        return table_text(self)

    def _repr_html_(self) -> str:
        from .rendering import table_html

        return table_html(self)


class Answer(Table):
    """What was let out, with its receipt.

    `notes` say what must be known to read the numbers; `charge` is what it cost, for good. A mock answer is made up, was charged
    nothing and has no receipt. `document` holds the bytes as the site stored and sent them: the receipt's digest is theirs.
    """

    def __init__(
        self,
        series: Sequence[Series],
        rows: int,
        receipt: Receipt | None = None,
        *,
        request: str = "",
        dataset: str = "",
        version: str = "",
        sql: str = "",
        charge: Loss | None = None,
        notes: Sequence[str] = (),
        guarantees: Guarantees | None = None,
        bounding: dict[str, Any] | None = None,
        mock: bool = False,
        document: bytes = b"",
    ) -> None:
        super().__init__(series, rows)
        self._receipt = receipt
        self.request = request
        self.dataset = dataset
        self.version = version
        self.sql = sql
        self.charge = charge
        self.notes = tuple(notes)
        self.guarantees = guarantees
        self.bounding = bounding
        self.mock = mock
        self.document = document

    @property
    def receipt(self) -> Receipt:
        """The site's signed statement of this release; it was verified against the pinned key when the answer came.

        Raises:
            InvalidArgument: There is none: nothing was released.
        """
        if self._receipt is None:
            raise InvalidArgument("this answer has no receipt: nothing was released, and nothing charged")
        return self._receipt

    @classmethod
    def of(cls, document: bytes, receipt: Receipt | None) -> Answer:
        """Reads an answer.

        Raises:
            NotADatasite: It is none.
        """
        return parsed(document, lambda value: cls._read(value, document, receipt), "Answer")

    @classmethod
    def _read(cls, value: Any, document: bytes, receipt: Receipt | None) -> Answer:
        if not isinstance(value, dict) or not isinstance(value["rows"], list):
            raise Malformed("no answer")
        columns = messages.read_all(AnswerColumn, value["columns"])
        series = [Series(dataclasses.replace(column, name=unquoted(column.name))) for column in columns]
        for row in value["rows"]:
            if not isinstance(row, list) or len(row) != len(series):
                raise Malformed("a row has not as many cells as there are columns")
            for one, cell in zip(series, row, strict=True):
                one.add(cell)
        text = {key: value[key] for key in ("request", "dataset", "version", "sql")}
        if not isinstance(value["notes"], list) or not all(isinstance(part, str) for part in [*text.values(), *value["notes"]]):
            raise Malformed("no text")
        return cls(
            series,
            len(value["rows"]),
            receipt,
            **text,
            charge=read(Loss, value["charge"]),
            notes=value["notes"],
            guarantees=read(Guarantees, value["guarantees"]),
            bounding=value.get("bounding"),
            mock=value["mock"] is True,
            document=document,
        )

    @classmethod
    def made(cls, sql: str, columns: Sequence[AnswerColumn], rows: Sequence[Sequence[Any]], note: str) -> Answer:
        """An answer that the client makes itself."""
        series = [Series(column, [row[place] for row in rows]) for place, column in enumerate(columns)]
        for one in series:
            if not one.column.is_key:
                one.lower, one.upper = [None] * len(rows), [None] * len(rows)
                one.flags = [()] * len(rows)
        return cls(series, len(rows), sql=sql, notes=[note])

    @property
    def federation(self) -> dict[str, Any] | None:
        """Of an answer by several sites, with whom it was made."""
        found = json.loads(self.document).get("federation") if self.document else None
        return found if isinstance(found, dict) else None


def unquoted(name: str) -> str:
    """A column's name where a site names it as the question spells it, in double quotes.

    >>> unquoted('"Age group"'), unquoted('AVG("Age group")')
    ('Age group', 'AVG("Age group")')
    """
    is_quoted = len(name) > 2 and name[0] == name[-1] == '"' and '"' not in name[1:-1].replace('""', "")
    return name[1:-1].replace('""', '"') if is_quoted else name


# Values.


def _value(value: Any, kind: str) -> Any:
    """A cell's value as Python has it."""
    if value is None:
        return None
    if kind in ("integer", "real"):
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise Malformed("a number is expected")
        return float(value) if kind == "real" or not -(1 << 63) <= value < 1 << 63 else value
    if kind == "boolean" and isinstance(value, bool):
        return value
    if kind != "boolean" and isinstance(value, str):
        return _time(value, kind) if kind in ("date", "timestamp") else value
    raise Malformed("a cell is not of its column's type")


def _time(text: str, kind: str) -> Any:
    """A date or a time; the text itself where Python has none (the year 0)."""
    try:
        if kind == "date":
            return datetime.date.fromisoformat(text)
        return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).astimezone(datetime.timezone.utc)
    except (ValueError, OverflowError):
        return text


def _end(end: Any, kind: str) -> Any:
    """An interval's end: a number, infinite where it is unbounded; of dates and times one, or None."""
    if kind in ("date", "timestamp"):
        return None if end in (None, "Infinity", "-Infinity") else _value(end, kind)
    if end in ("Infinity", "-Infinity"):
        return float(end)
    number = _value(end, "real")
    return number


def _kind(series: Series) -> str:
    """A column's type, or text where a value is none of it."""
    kinds: dict[str, type | tuple[type, ...]] = {"date": datetime.date, "timestamp": datetime.datetime, "integer": int}
    kind = series.column.type
    if kind in kinds and not all(value is None or isinstance(value, kinds[kind]) for value in series.values):
        return "real" if kind == "integer" else "text"
    return kind


def _with_plain_values(series: Series) -> Series:
    """A column of dates of which Python cannot have one: all are text."""
    if series.column.type not in ("date", "timestamp") or _kind(series) != "text":
        return series
    texts = [value if value is None or isinstance(value, str) else value.isoformat() for value in series.values]
    return dataclasses.replace(series, values=texts)


def _array(values: list[Any], kind: str) -> Array:
    has_null = any(value is None for value in values)
    if kind == "integer" and not has_null and all(isinstance(value, int) for value in values):
        return np.array(values, dtype=np.int64)
    if kind in ("integer", "real"):
        return np.array([np.nan if value is None else value for value in values], dtype=np.float64)
    if kind == "boolean" and not has_null:
        return np.array(values, dtype=np.bool_)
    if kind in ("date", "timestamp"):
        unit = "datetime64[D]" if kind == "date" else "datetime64[s]"
        texts = [_plain_time(value) for value in values]
        return np.array(["NaT" if text is None else text for text in texts], dtype=unit)
    result = np.empty(len(values), dtype=object)
    result[:] = values
    return result


def _plain_time(value: Any) -> str | None:
    if isinstance(value, datetime.datetime):
        return value.replace(tzinfo=None).isoformat()
    return None if value is None else str(value).removesuffix("Z") if isinstance(value, str) else value.isoformat()


def _pandas_column(series: Series) -> Any:
    import pandas

    kind = _kind(series)
    if kind == "integer" and any(value is None for value in series.values):
        return pandas.array(series.values, dtype="Int64")
    if kind == "boolean" and any(value is None for value in series.values):
        return pandas.array(series.values, dtype="boolean")
    array = _array(series.values, kind)
    if kind == "timestamp":
        return pandas.Series(pandas.to_datetime(array)).dt.tz_localize("UTC")
    return array


def _with_unique_names(found: list[Series]) -> list[Series]:
    taken: set[str] = set()
    result = []
    for series in found:
        name, number = series.column.name, 1
        while name in taken:
            number += 1
            name = f"{series.column.name}_{number}"
        taken.add(name)
        if name != series.column.name:
            series = Series(AnswerColumn(name, series.column.type, series.column.is_key), series.values)
        result.append(series)
    return result
