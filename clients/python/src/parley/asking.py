"""A question from what a caller says of it."""

from __future__ import annotations

from typing import Any

from .errors import InvalidArgument
from .probes import Probe
from .questions import Budget, Epsilon, Question, budget


def question(
    dataset: str,
    sql: str,
    *,
    epsilon: float | None = None,
    rho: float | None = None,
    error: float | str | None = None,
    group_size: float | None = None,
    default: Budget | None = None,
    **details: Any,
) -> Question:
    """The message that a question becomes.

    Raises:
        InvalidArgument: It is not said what it may cost, or by more than one budget.
    """
    spending = budget(epsilon, rho, error, group_size) or default
    if spending is None and Probe.of(sql) is not None:
        # Never charged; the plan alone is asked for.
        spending = Epsilon(1.0)
    if spending is None:
        raise InvalidArgument("it is not said what the question may cost", 'epsilon=0.5, rho=0.01, or error="2%", group_size=1000')
    return Question(dataset, sql, spending, **details)
