"""What a datasite says, as values. Responses may gain keys within version 1 of the protocol: unknown ones are passed over."""

from __future__ import annotations

import dataclasses
import functools
import types
import typing
from dataclasses import dataclass
from typing import Any, TypeVar

Scalar = None | bool | int | float | str
T = TypeVar("T")


class Malformed(Exception):
    """The JSON is not the message that was expected."""


@dataclass(frozen=True)
class Loss:
    """Privacy loss. Epsilons add under a pure policy; under zCDP rhos add, under Rényi divergences, and `epsilon_at_delta` does not."""

    kind: str
    epsilon: float | None = None
    rho: float | None = None
    delta: float | None = None
    epsilon_at_delta: float | None = None
    conversion_delta: float | None = None
    divergences: tuple[float, ...] | None = None
    uses: int | None = None

    def __str__(self) -> str:
        """The loss in words.

        >>> print(Loss("zcdp", rho=0.006225, epsilon_at_delta=0.5, conversion_delta=5e-7))
        ρ 0.006225 (ε 0.5 at δ 5e-7)
        """
        parts: list[str] = []
        if self.kind == "pure" and self.epsilon is not None:
            parts.append(f"ε {_short(self.epsilon)}")
        elif self.kind == "zcdp" and self.rho is not None:
            parts.append(f"ρ {_short(self.rho)}")
        if self.epsilon_at_delta is not None and self.conversion_delta is not None:
            converted = f"ε {_short(self.epsilon_at_delta)} at δ {_short(self.conversion_delta)}"
            parts = [f"{parts[0]} ({converted})"] if parts else [converted]
        if self.uses is not None:
            parts.append(f"{self.uses} use{'' if self.uses == 1 else 's'}")
        return ", ".join(parts) or self.kind

    @property
    def amount(self) -> float | None:
        """The number that adds up, where there is one: epsilon (pure) or rho (zCDP)."""
        return {"pure": self.epsilon, "zcdp": self.rho}.get(self.kind)


@dataclass(frozen=True)
class Meaning:
    """What a limit means in questions of one size, since rhos and divergences add up and epsilons do not."""

    epsilon: float
    delta: float
    question: float
    fit: int
    spent: int | None = None
    held: int | None = None


@dataclass(frozen=True)
class BudgetLine:
    """A limit of a population's ledger, and what is left of it. `scope` says for whom it is."""

    scope: str
    limit: Loss
    spent: Loss
    remaining: Loss
    held: Loss | None = None
    meaning: Meaning | None = None

    @property
    def questions_left(self) -> int | None:
        """How many questions of `meaning.question` still fit."""
        if self.meaning is None:
            return None
        return max(0, self.meaning.fit - (self.meaning.spent or 0) - (self.meaning.held or 0))


@dataclass(frozen=True)
class Spending:
    """What one asker's requests of one dataset were charged in one month."""

    researcher: str
    dataset: str
    month: str
    requests: int
    spent: Loss
    held: Loss | None = None


@dataclass(frozen=True)
class Uses:
    """Of a dataset whose policy counts uses of a kind of work: how many there may be, and are left."""

    dataset: str
    engine: str
    scope: str
    limit: int
    spent: int
    remaining: int
    held: int | None = None


@dataclass(frozen=True)
class BudgetReport:
    """What one population's ledger has left. A researcher sees her own line beside the site's."""

    population: str
    datasets: tuple[str, ...]
    lines: tuple[BudgetLine, ...]
    least_charge: Loss | None = None
    raised: str | None = None
    spending: tuple[Spending, ...] | None = None
    uses: tuple[Uses, ...] | None = None


@dataclass(frozen=True)
class QuestionsLeft:
    """What is left for questions, all limits taken together: how many alike, and the largest, in `unit`."""

    alike: int
    unit: str
    largest: float | None = None
    error: float | None = None


@dataclass(frozen=True)
class Problem:
    """A problem document (RFC 9457): why a datasite does not do what was asked. `position` is in bytes of the SQL text's UTF-8."""

    type: str
    title: str
    status: int
    detail: str
    hint: str | None = None
    position: int | None = None
    left: QuestionsLeft | None = None


@dataclass(frozen=True)
class SiteDescription:
    """The site's name, and the Ed25519 key (base64) that signs its receipts."""

    name: str
    public_key: str
    protocol_version: int


@dataclass(frozen=True)
class Identity:
    """Whose token it is: a name, and `researcher`, `owner` or `auditor`."""

    name: str
    role: str


@dataclass(frozen=True)
class DatasetSummary:
    """A dataset, as the catalogue lists it. `unit` is who or what is protected; `kind` is `private` or `lookup`."""

    name: str
    title: str
    version: str
    columns: int
    unit: str
    population: str
    kind: str


@dataclass(frozen=True)
class Column:
    """A column of a dataset's dictionary: what its owner declares, and nothing of its rows."""

    name: str
    type: str
    description: str
    nullable: bool
    lower: float | None = None
    upper: float | None = None
    earliest: str | None = None
    latest: str | None = None
    resolution: float | None = None
    domain: tuple[Scalar, ...] | None = None
    other: Scalar = None
    role: str | None = None
    declared: str | None = None

    @property
    def values(self) -> str:
        """The domain or the bounds, in words."""
        if self.domain is not None:
            shown = ", ".join(str(value) for value in self.domain[:8])
            return shown + (f", … ({len(self.domain)} values)" if len(self.domain) > 8 else "")
        lower = self.earliest if self.earliest is not None else self.lower
        upper = self.latest if self.latest is not None else self.upper
        if lower is None and upper is None:
            return ""
        return " to ".join(_plain(end) for end in (lower, upper))


@dataclass(frozen=True)
class DatasetDetail:
    """A dataset's dictionary, policy and mock rows: all of it public."""

    summary: DatasetSummary
    description: str
    columns: tuple[Column, ...]
    rows_per_unit: int
    groups_per_unit: int
    capacity_rows: int
    capacity_units: int
    windows: tuple[str, ...]
    allowed_aggregates: tuple[str, ...]
    approval: str
    mock_rows: tuple[tuple[Scalar, ...], ...]
    total: Loss | None = None
    meaning: Meaning | None = None
    per_researcher: Loss | None = None
    own_limit: Loss | None = None
    per_question: Loss | None = None
    least_charge: Loss | None = None
    work: tuple[str, ...] | None = None
    mock_source: str | None = None

    def __repr__(self) -> str:
        from .rendering import detail_text

        return detail_text(self)

    def _repr_html_(self) -> str:
        from .rendering import detail_html

        return detail_html(self)


@dataclass(frozen=True)
class PreviewColumn:
    """A column of an answer, as far as it is known beforehand. `expected_error` is half of the 95 % interval."""

    name: str
    type: str
    is_key: bool
    mechanism: str | None = None
    standard_deviation: float | None = None
    expected_error: float | None = None


@dataclass(frozen=True)
class Preview:
    """What a question would cost and how precise it would be, from the plan alone. Nothing was spent."""

    dataset: str
    sql: str
    charge: Loss
    available: Loss
    decision: str
    columns: tuple[PreviewColumn, ...]
    notes: tuple[str, ...]
    groups: int | None = None
    left: QuestionsLeft | None = None
    document: str | None = None
    approvals: int | None = None

    def __repr__(self) -> str:
        from .rendering import preview_text

        return preview_text(self)

    def _repr_html_(self) -> str:
        from .rendering import preview_html

        return preview_html(self)


@dataclass(frozen=True)
class Guarantees:
    """What was done for each of the five parts of structured transparency (Trask et al. 2020)."""

    input_privacy: str
    output_privacy: str
    input_verification: str
    output_verification: str
    flow_governance: str


@dataclass(frozen=True)
class Bin:
    """A bin of a histogram: values from `lower` on and below `upper`; in the last bin also `upper`."""

    histogram: str
    lower: float
    upper: float


@dataclass(frozen=True)
class AnswerColumn:
    """A column of an answer. A key is exact, public or selected; the others are estimates."""

    name: str
    type: str
    is_key: bool
    bin: Bin | None = None


@dataclass(frozen=True)
class RequestSummary:
    """A request, and where it stands: `pending`, `reserved`, `released`, `denied`, `lapsed` or `cancelled`."""

    id: str
    researcher: str
    dataset: str
    sql: str
    charge: Loss
    state: str
    approvals: tuple[str, ...]
    approvals_needed: int
    created: str
    reason: str | None = None
    engine: str | None = None
    purpose: str | None = None
    is_charged: bool | None = None


@dataclass(frozen=True)
class JobSummary:
    """Work that is under way, or has ended."""

    id: str
    kind: str
    who: str
    dataset: str
    words: str
    state: str
    step: int
    steps: int
    begun: str
    changed: str
    doing: str | None = None


@dataclass(frozen=True)
class RequestEvent:
    """What became of a request: `step` of `steps` are done, and `words` says what is done now or why it ended."""

    request: str
    number: int
    state: str
    step: int
    steps: int
    time: str
    words: str | None = None

    @property
    def is_final(self) -> bool:
        """Whether nothing more follows."""
        return self.state in ("released", "done", "denied", "lapsed", "cancelled")

    @property
    def has_stopped(self) -> bool:
        """Whether nothing more follows by itself."""
        return self.is_final or self.state in ("interrupted", "failed")


def _short(value: float) -> str:
    """Four significant digits; `1e-07` becomes `1e-7`."""
    return f"{value:.4g}".replace("e-0", "e-").replace("e+0", "e")


def _plain(end: float | str | None) -> str:
    if isinstance(end, float):
        return f"{end:.0f}" if end.is_integer() and abs(end) < 1e15 else f"{end:g}"
    return "" if end is None else end


# Reading.


def read(kind: type[T], value: Any) -> T:
    """The message of that kind that JSON holds.

    Raises:
        Malformed: A member is missing, or of another type.
    """
    result: T = _read(kind, value, kind.__name__)
    return result


def read_all(kind: type[T], value: Any) -> list[T]:
    """The messages of that kind that a list holds."""
    if not isinstance(value, list):
        raise Malformed(f"a list of {kind.__name__} was expected")
    return [read(kind, element) for element in value]


@functools.cache
def _members(kind: Any) -> list[tuple[str, str, Any, bool]]:
    """Of a message's class, for each field its name, its key in JSON, its type, and whether it may be absent."""
    hints = typing.get_type_hints(kind)
    members = []
    for field in dataclasses.fields(kind):
        first, *others = field.name.split("_")
        key = first + "".join(word.capitalize() for word in others)
        members.append((field.name, key, hints[field.name], field.default is not dataclasses.MISSING))
    return members


def _read(kind: Any, value: Any, where: str) -> Any:
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        if not isinstance(value, dict):
            raise Malformed(f"{where} is no object")
        found = {}
        for name, key, member, may_be_absent in _members(typing.cast(Any, kind)):
            if value.get(key) is not None:
                found[name] = _read(member, value[key], f"{where}.{key}")
            elif not may_be_absent:
                raise Malformed(f"{where}.{key} is missing")
        return typing.cast(Any, kind)(**found)
    origin = typing.get_origin(kind)
    if origin is tuple:
        if not isinstance(value, list):
            raise Malformed(f"{where} is no list")
        inner = typing.get_args(kind)[0]
        return tuple(_read(inner, element, where) for element in value)
    if origin in (types.UnionType, typing.Union):
        options = typing.get_args(kind)
        if value is None and type(None) in options:
            return None
        if float in options and str in options:
            if isinstance(value, (bool, int, float, str)):
                return value
            raise Malformed(f"{where} is no plain value")
        return _read(next(option for option in options if option is not type(None)), value, where)
    if kind is float and isinstance(value, (int, float)) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError:
            raise Malformed(f"{where} is out of range") from None
    if kind in (int, str, bool) and type(value) is kind:
        return value
    raise Malformed(f"{where} is not of the type that was expected")
