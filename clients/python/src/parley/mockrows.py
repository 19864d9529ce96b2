"""Rows made up from a dataset's dictionary alone: the right types and shapes, and nothing like the data."""

from __future__ import annotations

import datetime
import hashlib
from typing import Any

import numpy as np

from .answer import Answer, Series
from .errors import InvalidArgument
from .messages import AnswerColumn, Column, DatasetDetail

MOST_ROWS = 1_000_000
_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
_DEFAULT_BOUNDS = {"date": (10_957, 18_262), "timestamp": (946_684_800, 1_577_836_800), "integer": (0, 100)}


def mock_rows(detail: DatasetDetail, count: int) -> Answer:
    """So many rows: first those that the site shows, then more that are made up in the same way, the same at each call.

    Values are drawn uniformly from domains and bounds; units have one row to their bound of rows; one in twenty values is null where
    null can be. Of a public lookup table there are its own first rows and no more.
    """
    if not 1 <= count <= MOST_ROWS:
        raise InvalidArgument(f"{count} mock rows cannot be made", f"ask for 1 to {MOST_ROWS:,}")
    series = [Series(AnswerColumn(column.name, column.type, True)) for column in detail.columns]
    for row in detail.mock_rows[:count]:
        for one, value in zip(series, row, strict=False):
            one.add({"value": value})
    known = len(series[0].values) if series else 0
    if detail.summary.kind == "private" and series and known < count:
        _extend(series, detail, count - known)
    return Answer(
        series,
        len(series[0].values) if series else 0,
        dataset=detail.summary.name,
        version=detail.summary.version,
        sql=f"MOCK ROWS OF {detail.summary.name}",
        notes=["Made-up rows: these numbers say nothing of the data."],
        mock=True,
    )


def _extend(series: list[Series], detail: DatasetDetail, count: int) -> None:
    text = f"parley mock rows\n{detail.summary.name}\n" + "".join(f"{c.name} {c.type}\n" for c in detail.columns)
    generator = np.random.Generator(np.random.PCG64(int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")))
    units: list[int] = []
    unit = len(series[0].values)
    while len(units) < count:
        unit += 1
        units += [unit] * int(generator.integers(1, min(detail.rows_per_unit, 8), endpoint=True))
    for one, column in zip(series, detail.columns, strict=True):
        if column.role == "unit" or column.name == detail.summary.unit:
            one.values += [f"unit-{unit}" if column.type == "text" else unit for unit in units[:count]]
        else:
            one.values += _drawn(column, count, generator)


def _drawn(column: Column, count: int, generator: np.random.Generator) -> list[Any]:
    fractions = generator.random(count)
    nulls = generator.random(count) < 0.05 if column.nullable else np.zeros(count, dtype=bool)
    return [None if null else _value(column, float(f)) for f, null in zip(fractions, nulls, strict=True)]


def _value(column: Column, fraction: float) -> Any:
    series = Series(AnswerColumn(column.name, column.type, True))
    if column.domain:
        series.add({"value": column.domain[int(fraction * len(column.domain))]})
        return series.values[0]
    if column.type == "boolean":
        return fraction < 0.5
    if column.type == "text":
        return f"word-{1 + int(fraction * 20)}"
    lower, upper = _bounds(column)
    number = lower + (upper - lower) * fraction
    if column.type == "real":
        step = column.resolution or (upper - lower) / 1000
        number = lower + round((number - lower) / step) * step if step > 0 else lower
        return min(max(round(number, 9), lower), upper)
    if column.type == "integer":
        return round(number)
    if column.type == "date":
        return (_EPOCH + datetime.timedelta(days=round(number))).date()
    return _EPOCH + datetime.timedelta(seconds=round(number))


def _bounds(column: Column) -> tuple[float, float]:
    default = _DEFAULT_BOUNDS.get(column.type, (0, 1))
    if column.type not in ("date", "timestamp"):
        lower = column.lower if column.lower is not None else min(default[0], column.upper or 0)
        return lower, column.upper if column.upper is not None else max(default[1], lower)
    ends = []
    for text, otherwise in ((column.earliest, default[0]), (column.latest, default[1])):
        if text is None:
            ends.append(float(otherwise))
            continue
        time = datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
        seconds = (time if time.tzinfo else time.replace(tzinfo=datetime.timezone.utc)).timestamp()
        ends.append(seconds / 86_400 if column.type == "date" else seconds)
    return ends[0], ends[1]
