"""Estimates with their intervals, drawn by matplotlib."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from .errors import InvalidArgument
from .rendering import escaped, plain

if TYPE_CHECKING:
    from .answer import Estimate, Table


def plot(table: Table, column: str | None, ax: Any) -> Any:
    """Draws one estimate, or one histogram, against the keys; an end of an interval that is unbounded is left out.

    Raises:
        InvalidArgument: There is no such estimate.
    """
    import matplotlib.pyplot

    bins = {name.bin.histogram: name.bin for name in table.columns if name.bin is not None}
    if column is None:
        if not table.estimates:
            raise InvalidArgument("there is no estimate to draw: all columns are keys")
        column = next(iter(bins)) if all(c.bin for c in table.columns if not c.is_key) else table.estimates[0]
    if column in bins:
        labels, cells = _bins(table, column)
    elif column in table.estimates:
        labels = [_label(table, row) for row in range(len(table))]
        cells = [table.cell(row, column) for row in range(len(table))]
    else:
        raise InvalidArgument(f"there is no estimate {column!r}", f"there are {', '.join(table.estimates)}")
    if ax is None:
        ax = matplotlib.pyplot.subplots()[1]
    places = [place for place, cell in enumerate(cells) if cell.value is not None]
    values = [float(cells[place]) for place in places]
    below = [_distance(cells[place].lower, float(cells[place])) for place in places]
    above = [_distance(cells[place].upper, float(cells[place])) for place in places]
    ax.errorbar(places, values, yerr=[below, above], fmt="o", capsize=4)
    ax.set_xticks(range(len(labels)), labels, rotation=45 if sum(map(len, labels)) > 60 else 0)
    ax.set_ylabel(escaped(column))
    ax.set_xlabel(", ".join(map(escaped, table.keys)) if column not in bins else escaped(column))
    ax.set_title("95 % intervals of the privacy noise")
    return ax


def _bins(table: Table, histogram: str) -> tuple[list[str], list[Estimate]]:
    labels, cells = [], []
    for row in range(len(table)):
        group = _label(table, row) + " " if table.keys else ""
        for column in table.columns:
            if column.bin is not None and column.bin.histogram == histogram:
                labels.append(f"{group}{column.bin.lower:g} to {column.bin.upper:g}")
                cells.append(table.cell(row, column.name))
    return labels, cells


def _label(table: Table, row: int) -> str:
    return ", ".join(plain(table.cell(row, key).value) for key in table.keys) or "all"


def _distance(end: Any, value: float) -> float:
    distance = abs(float(end) - value) if isinstance(end, (int, float)) else math.nan
    return distance if math.isfinite(distance) else math.nan
