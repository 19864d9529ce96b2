"""Answers, previews and lists as people read them: aligned text, and HTML for notebooks. Nothing that came is shown unescaped."""

from __future__ import annotations

import html
import math
import textwrap
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median_high
from typing import TYPE_CHECKING, Any

from .messages import Column, DatasetDetail, Preview

if TYPE_CHECKING:
    from .answer import Series, Table
    from .records import Records

MOST_ROWS = 60
_MARKS = {
    "bounded": ("*", "bounding left out rows or units: the table's own value may lie outside the interval."),
    "selected": ("^", "the row was chosen by noisy values: it is partly there by luck, which the interval does not hold."),
    "thresholded": ("~", "groups of about its size are seldom shown: that this one is, is luck, and others like it are missing."),
    "clipped": ("|", "it lies, or may lie, at a declared bound, to which values beyond were clipped: the truth may lie beyond."),
}  # fmt: skip


@dataclass(frozen=True)
class Shown:
    """A column as it is shown: a title and texts."""

    title: str
    texts: list[str]
    is_right: bool = False


def number(value: float, decimals: int) -> str:
    """With that many decimals and commas between thousands.

    >>> number(1234.567, 1), number(-0.04, 1)
    ('1,234.6', '0.0')
    """
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    text = f"{value:.4g}" if abs(value) >= 1e15 else f"{value:,.{decimals}f}"
    return text.removeprefix("-") if text.startswith("-") and not text.strip("-0.,") else text


def plain(value: Any) -> str:
    """A value of a key, or of anything without an interval."""
    if value is None:
        return "(null)"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:.0f}" if value.is_integer() and abs(value) < 1e15 else repr(value)
    return escaped(value.isoformat().replace("+00:00", "Z") if hasattr(value, "isoformat") else str(value))


def escaped(text: str) -> str:
    """Text whose control and format characters a terminal does not obey."""
    return "".join(
        character if unicodedata.category(character)[0] != "C" else character.encode("unicode_escape").decode("ascii") for character in text
    )


def _decimals(series: Series) -> int:
    """As many as an estimate's uncertainty justifies: two significant digits of the median half-width."""
    if all(value is None or isinstance(value, int) for value in series.values):
        return 0
    ends = zip(series.lower, series.upper, strict=True)
    halves = [(upper - lower) / 2 for lower, upper in ends if isinstance(lower, float) and isinstance(upper, float)]
    halves = [half for half in halves if math.isfinite(half) and half > 0]
    if not halves:
        largest = max((abs(value) for value in series.values if isinstance(value, (int, float))), default=1)
        halves = [largest / 100]
    half = median_high(halves)
    return 2 if half <= 0 else min(9, max(0, 1 - math.floor(math.log10(half))))


def marks(flags: tuple[str, ...]) -> str:
    """The signs behind a value whose interval may miss the truth more often than it says."""
    return "".join(sign for flag, (sign, _) in _MARKS.items() if flag in flags)


def shown(series: Series, rows: int) -> list[Shown]:
    """A column as it is shown: an estimate with its interval, as ± where it lies evenly around the value."""
    column = series.column
    if column.is_key:
        texts = [plain(value) for value in series.values[:rows]]
        return [Shown(escaped(column.name), texts, column.type in ("integer", "real"))]
    decimals = _decimals(series)
    values = [
        number(value, decimals) if isinstance(value, (int, float)) and not isinstance(value, bool) else plain(value)
        for value in series.values[:rows]
    ]
    signs = [marks(flags) for flags in series.flags[:rows]]
    width = max((len(sign) for sign in signs), default=0)
    values = [value + sign.ljust(width) for value, sign in zip(values, signs, strict=True)]
    result = [Shown(escaped(column.name), values, True)]
    if series.has_intervals:
        result.append(Shown("95 % interval", _intervals(series, rows, decimals)))
    return result


def _intervals(series: Series, rows: int, decimals: int) -> list[str]:
    cells = list(zip(series.values, series.lower, series.upper, strict=True))
    is_even = all(value is None or _is_even(value, lower, upper, decimals) for value, lower, upper in cells)
    texts = []
    for value, lower, upper in cells[:rows]:
        if lower is None or upper is None:
            texts.append("")
        elif not isinstance(lower, float):
            texts.append(f"{plain(lower)} to {plain(upper)}")
        elif math.isinf(lower) and math.isinf(upper):
            texts.append("unbounded")
        elif is_even and value is not None:
            texts.append(f"± {number((upper - lower) / 2, decimals)}")
        else:
            texts.append(f"{number(lower, decimals)} to {number(upper, decimals)}")
    return texts


def _is_even(value: Any, lower: Any, upper: Any, decimals: int) -> bool:
    if not all(isinstance(part, (int, float)) and math.isfinite(part) for part in (value, lower, upper)):
        return False
    return bool(abs((upper - value) - (value - lower)) <= 10**-decimals)


def parts(table: Table) -> list[list[Shown]]:
    """The tables that an answer is shown as: of a histogram one of its own, with a row for each group and bin."""
    rows = min(len(table), MOST_ROWS)
    histograms = list(dict.fromkeys(column.bin.histogram for column in table.columns if column.bin is not None))
    plain_series = [series for series in table._series if series.column.bin is None]
    found = []
    if not histograms or any(not series.column.is_key for series in plain_series):
        found.append([column for series in plain_series for column in shown(series, rows)])
    keys = [series for series in plain_series if series.column.is_key]
    return found + [_histogram(table, keys, histogram, rows) for histogram in histograms]


def _histogram(table: Table, keys: list[Series], histogram: str, rows: int) -> list[Shown]:
    from .answer import Series
    from .messages import AnswerColumn

    bins = [series for series in table._series if series.column.bin is not None and series.column.bin.histogram == histogram]
    labels = []
    for series in bins:
        bin = series.column.bin
        assert bin is not None
        labels.append(f"[{plain(bin.lower)}, {plain(bin.upper)}{']' if series is bins[-1] else ')'}")
    columns = []
    for series in keys:
        texts = [plain(value) for value in series.values[:rows] for _ in bins]
        columns.append(Shown(escaped(series.column.name), texts, series.column.type in ("integer", "real")))
    columns.append(Shown(escaped(histogram), labels * rows))
    count = Series(AnswerColumn("count", bins[0].column.type, False))
    for row in range(rows):
        for series in bins:
            count.values.append(series.values[row])
            count.lower.append(series.lower[row])
            count.upper.append(series.upper[row])
            count.flags.append(series.flags[row])
    return columns + shown(count, len(count.values))


def legend(table: Table) -> list[str]:
    """What the marks mean that are shown."""
    used = {flag for series in table._series for flags in series.flags for flag in flags}
    return [f"{sign} {words}" for flag, (sign, words) in _MARKS.items() if flag in used]


def remarks(table: Table) -> tuple[list[str], list[str]]:
    """What has to be said beside the numbers, and what is to be known to read them."""
    from .answer import Answer

    loud = legend(table)
    if not isinstance(table, Answer):
        return loud, []
    if table.mock:
        loud.insert(0, "Mock answer: not from the data. Its intervals hold its own noise alone.")
    quiet = list(table.notes)
    if table.mock:
        quiet.append("Charged nothing.")
    elif table.charge is not None:
        quiet.append(f"Charged {table.charge}; request {table.request}.")
    return loud, quiet


def aligned(columns: Sequence[Shown]) -> list[str]:
    """A table in lines."""
    if not columns:
        return []
    widths = [max(map(_width, [column.title, *column.texts])) for column in columns]

    def line(texts: Sequence[str]) -> str:
        parts = []
        for text, column, width in zip(texts, columns, widths, strict=True):
            blank = " " * (width - _width(text))
            parts.append(blank + text if column.is_right else text + blank)
        return "  ".join(parts).rstrip()

    rows = [line([column.texts[row] for column in columns]) for row in range(len(columns[0].texts))]
    return [line([column.title for column in columns]), "  ".join("─" * width for width in widths), *rows]


def _width(text: str) -> int:
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def table_text(table: Table) -> str:
    """The table, its marks and what has to be known, for a terminal."""
    rows = min(len(table), MOST_ROWS)
    lines = "\n\n".join("\n".join(aligned(columns)) for columns in parts(table)).splitlines()
    if rows < len(table):
        lines.append(f"… and {len(table) - rows:,} more rows")
    loud, quiet = remarks(table)
    return "\n".join(lines + [line for note in loud + quiet for line in wrapped(note)])


def wrapped(text: str) -> list[str]:
    """A sentence in lines of at most 100 characters."""
    return textwrap.wrap(escaped(text), 100, break_long_words=False) or [""]


def table_html(table: Table) -> str:
    """The same for a notebook; what has to be known to read the numbers can be unfolded."""
    rows = min(len(table), MOST_ROWS)
    loud, quiet = remarks(table)
    pieces = [html_table(columns) for columns in parts(table)]
    if rows < len(table):
        pieces.append(f"<p>… and {len(table) - rows:,} more rows</p>")
    pieces += [f"<p><b>{html.escape(escaped(note))}</b></p>" for note in loud]
    *notes, last = quiet or [""]
    if last:
        pieces.append(f"<p><small>{html.escape(escaped(last))}</small></p>")
    if notes:
        inner = "".join(f"<p><small>{html.escape(escaped(note))}</small></p>" for note in notes)
        pieces.append(f"<details><summary><small>How to read these numbers</small></summary>{inner}</details>")
    return "<div>" + "".join(pieces) + "</div>"


def html_table(columns: Sequence[Shown]) -> str:
    """A table in HTML."""

    def cell(tag: str, text: str, column: Shown) -> str:
        side = "right" if column.is_right else "left"
        return f'<{tag} style="text-align: {side}; white-space: pre-wrap">{html.escape(text)}</{tag}>'

    head = "".join(cell("th", column.title, column) for column in columns)
    count = len(columns[0].texts) if columns else 0
    rows = ["".join(cell("td", column.texts[row], column) for column in columns) for row in range(count)]
    body = "".join(f"<tr>{row}</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


# Datasets.


def _detail(detail: DatasetDetail) -> tuple[list[Shown], Records[Column]]:
    from .records import Records

    summary = detail.summary
    facts = [("what", summary.title), *(("", line) for line in wrapped(detail.description))]
    if summary.kind == "private":
        facts += [
            ("protected", f"{summary.unit}: at most {detail.rows_per_unit} rows and {detail.groups_per_unit} groups each"),
            ("at most", f"{detail.capacity_rows:,} rows of {detail.capacity_units:,} units"),
            ("limit of all", str(detail.total or "")),
            ("limit of one", str(detail.own_limit or detail.per_researcher or "")),
            ("a question", f"at least {detail.least_charge}" if detail.least_charge else ""),
            ("windows", ", ".join(detail.windows)),
            ("may be asked", ", ".join(detail.allowed_aggregates)),
            ("decided", detail.approval),
            ("other work", "; ".join(detail.work or ())),
            ("mock rows", f"of {detail.mock_source}" if detail.mock_source else "made up from the dictionary"),
        ]
    known = [(name, escaped(text)) for name, text in facts if text]
    return [Shown("", [name for name, _ in known]), Shown("", [text for _, text in known])], Records(Column, detail.columns)


def detail_text(detail: DatasetDetail) -> str:
    """What is public of a dataset, for a terminal."""
    facts, columns = _detail(detail)
    return "\n".join([*aligned(facts)[2:], "", repr(columns)])


def detail_html(detail: DatasetDetail) -> str:
    """The same for a notebook."""
    facts, columns = _detail(detail)
    return f"<div>{html_table(facts)}{columns._repr_html_()}</div>"


# Previews.


def _preview(preview: Preview) -> tuple[list[Shown], list[Shown], list[str]]:
    facts = [("would cost", str(preview.charge)), ("you have left", str(preview.available))]
    if preview.left is not None:
        largest = preview.left.largest
        most = f"; the largest that fits has {preview.left.unit} {largest:g}" if largest is not None else ""
        facts.append(("that is", f"{preview.left.alike} questions like this one{most}"))
    facts.append(("decision", preview.decision))
    if preview.groups is not None:
        facts.append(("groups", f"{preview.groups:,} (public, so empty ones too)"))
    about = [Shown("", [name for name, _ in facts]), Shown("", [escaped(text) for _, text in facts])]
    halves = [
        "" if column.is_key else "by group size" if column.expected_error is None else f"± {column.expected_error:.3g}"
        for column in preview.columns
    ]
    noises = ["none: a key" if column.is_key else escaped(column.mechanism or "") for column in preview.columns]
    columns = [
        Shown("column", [escaped(column.name) for column in preview.columns]),
        Shown("type", [escaped(column.type) for column in preview.columns]),
        Shown("95 % half-width", halves, True),
        Shown("noise", noises),
    ]
    return about, columns, [*preview.notes, "Nothing was spent."]


def preview_text(preview: Preview) -> str:
    """What a question would cost and how precise it would be, for a terminal."""
    about, columns, notes = _preview(preview)
    lines = aligned(about)[2:] + (["", *aligned(columns)] if preview.columns else [])
    return "\n".join(lines + [line for note in notes for line in wrapped(note)])


def preview_html(preview: Preview) -> str:
    """The same for a notebook."""
    about, columns, notes = _preview(preview)
    tables = html_table(about) + (html_table(columns) if preview.columns else "")
    return f"<div>{tables}" + "".join(f"<p><small>{html.escape(escaped(note))}</small></p>" for note in notes) + "</div>"
