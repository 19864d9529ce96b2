"""Lists of what a datasite says, which show themselves as tables."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, SupportsIndex, TypeVar, overload

from .messages import BudgetReport, Column, DatasetSummary, JobSummary, RequestSummary
from .rendering import Shown, aligned, escaped, html_table, number

T = TypeVar("T")
Field = tuple[str, Callable[[Any], str]]

_FIELDS: dict[type, Sequence[Field]] = {
    DatasetSummary: [
        ("name", lambda dataset: dataset.name),
        ("kind", lambda dataset: dataset.kind),
        ("columns", lambda dataset: str(dataset.columns)),
        ("unit", lambda dataset: dataset.unit),
        ("title", lambda dataset: dataset.title),
    ],
    Column: [
        ("name", lambda column: column.name),
        ("type", lambda column: column.type),
        ("role", lambda column: column.role or ""),
        ("null", lambda column: "can be" if column.nullable else ""),
        ("values", lambda column: column.values),
        ("description", lambda column: column.description),
    ],
    RequestSummary: [
        ("id", lambda request: request.id),
        ("time", lambda request: request.created),
        ("dataset", lambda request: request.dataset),
        ("state", lambda request: request.state),
        ("cost", lambda request: str(request.charge)),
        ("question", lambda request: " ".join(request.sql.split())),
    ],
    JobSummary: [
        ("id", lambda job: job.id),
        ("dataset", lambda job: job.dataset),
        ("state", lambda job: job.state),
        ("step", lambda job: f"{job.step} of {job.steps}"),
        ("doing", lambda job: job.doing or ""),
        ("what", lambda job: " ".join(job.words.split())),
    ],
}


class Records(list[T]):
    """A list that shows itself as a table. An element is also found by its name or id, where it has one."""

    def __init__(self, kind: type[T], records: Iterable[T]) -> None:
        super().__init__(records)
        self._kind = kind

    @overload
    def __getitem__(self, place: SupportsIndex | str) -> T: ...

    @overload
    def __getitem__(self, place: slice) -> list[T]: ...

    def __getitem__(self, place: SupportsIndex | str | slice) -> T | list[T]:
        if not isinstance(place, str):
            return super().__getitem__(place)
        for record in self:
            if place in (getattr(record, "name", None), getattr(record, "id", None)):
                return record
        raise KeyError(f"there is no {self._kind.__name__} {place!r}")

    def _columns(self) -> list[Shown]:
        return [Shown(title, [_short(escaped(show(record))) for record in self]) for title, show in _FIELDS[self._kind]]

    def __repr__(self) -> str:
        return "\n".join(aligned(self._columns())) if self else f"no {self._kind.__name__}"

    def _repr_html_(self) -> str:
        return html_table(self._columns())


class Catalogue(Records[DatasetSummary]):
    """The datasets of a site. `name in site.datasets` asks for one by its name."""

    def __contains__(self, entry: object) -> bool:
        return any(entry == dataset.name or entry == dataset for dataset in self)

    @property
    def names(self) -> list[str]:
        """The datasets' names."""
        return [dataset.name for dataset in self]


class Budgets(list[BudgetReport]):
    """What each population's ledger has left."""

    def _tables(self) -> list[tuple[str, list[Shown]]]:
        tables = []
        for report in self:
            lines = report.lines
            size = next((f"ε {line.meaning.question:g} questions left" for line in lines if line.meaning), "")
            columns = [
                Shown("for", [escaped(line.scope) for line in lines]),
                Shown("limit", [escaped(str(line.limit)) for line in lines]),
                Shown("spent", [escaped(str(line.spent)) for line in lines]),
                Shown("held", [escaped(str(line.held)) if line.held is not None else "" for line in lines]),
                Shown("left", [escaped(str(line.remaining)) for line in lines]),
            ]
            if size:
                left = [(line.questions_left, line.meaning) for line in lines]
                texts = [f"{count} of {meaning.fit}" if meaning else "" for count, meaning in left]
                columns.append(Shown(size, texts, True))
            about = ", ".join(report.datasets) or "no dataset at present"
            tables.append((escaped(f"Population {report.population} ({about})"), columns))
            if report.uses:
                tables.append(("Uses", _uses(report)))
        return tables

    def __repr__(self) -> str:
        tables = ["\n".join([title, *aligned(columns)]) for title, columns in self._tables()]
        return "\n\n".join(tables) or "There is no population yet: no private dataset has been added."

    def _repr_html_(self) -> str:
        import html

        return "".join(f"<p>{html.escape(title)}</p>{html_table(columns)}" for title, columns in self._tables())


def _uses(report: BudgetReport) -> list[Shown]:
    uses = report.uses or ()
    return [
        Shown("uses of", [escaped(use.dataset) for use in uses]),
        Shown("by", [escaped(use.engine) for use in uses]),
        Shown("for", [escaped(use.scope) for use in uses]),
        Shown("limit", [number(use.limit, 0) for use in uses], True),
        Shown("left", [number(use.remaining, 0) for use in uses], True),
    ]


def _short(text: str) -> str:
    return text if len(text) <= 100 else text[:99] + "…"
