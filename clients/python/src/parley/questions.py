"""A question as it is sent, and what names it: its digest, and the key under which it is paid once."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from .errors import InvalidArgument
from .messages import DatasetSummary
from .receipts import bits, canonical


@dataclass(frozen=True)
class Epsilon:
    """Spend at most that epsilon; under zCDP and Rényi the largest rho that converts to at most it at the policy's delta."""

    epsilon: float


@dataclass(frozen=True)
class Rho:
    """Spend that rho, where the policy is zCDP or Rényi."""

    rho: float


@dataclass(frozen=True)
class Error:
    """Spend the least for which every 95 % half-width is at most `relative` (0.02 for 2 %) times `group_size` rows."""

    relative: float
    group_size: float


Budget = Epsilon | Rho | Error


def budget(
    epsilon: float | None = None,
    rho: float | None = None,
    error: float | str | None = None,
    group_size: float | None = None,
) -> Budget | None:
    """The budget that was named; None where none was.

    >>> budget(error="2%", group_size=1000)
    Error(relative=0.02, group_size=1000.0)

    Parameters:
        error: A fraction (0.02), or text with a percent sign ("2%").

    Raises:
        InvalidArgument: More than one was named, or a number that cannot be meant.
    """
    named = [name for name, value in (("epsilon", epsilon), ("rho", rho), ("error", error)) if value is not None]
    if len(named) > 1:
        raise InvalidArgument(f"{' and '.join(named)} are both given", "say one of epsilon, rho and error")
    if (error is None) != (group_size is None):
        raise InvalidArgument("error and group_size belong together", 'for example error="2%", group_size=1000')
    if epsilon is not None:
        return Epsilon(_positive(epsilon, "epsilon"))
    if rho is not None:
        return Rho(_positive(rho, "rho"))
    if error is None or group_size is None:
        return None
    return Error(_positive(_fraction(error), "error"), _positive(group_size, "group_size"))


def _fraction(error: float | str) -> float:
    if not isinstance(error, str):
        return error
    try:
        return float(error.rstrip("% ")) / (100 if error.rstrip().endswith("%") else 1)
    except ValueError:
        raise InvalidArgument(f"error={error!r} is no error", 'write 0.02 or "2%"') from None


def _positive(value: float, name: str) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not (math.isfinite(number) and number > 0):
        raise InvalidArgument(f"{name}={value!r} is no budget", "say a number above 0")
    return number


@dataclass(frozen=True)
class Question:
    """A question over the wire (`POST /v1/ask`, `/v1/preview`, `/v1/mock`). What is None is left to manifest and policy.

    Parameters:
        selection_delta: The delta that selecting unknown group keys may use.
        groups_per_unit: In how many groups one unit may count: fewer than the manifest's bound.
        rows_per_group: With how many rows in each.
        bounding_shares: Whether 1/20 of the budget measures what bounding leaves out; None: it does.
        purpose: What the answer is for: owners who decide read it.
        simultaneous: Whether all intervals of the answer hold together with 95 %.
    """

    dataset: str
    sql: str
    budget: Budget
    selection_delta: float | None = None
    groups_per_unit: int | None = None
    rows_per_group: int | None = None
    bounding_shares: bool | None = None
    purpose: str | None = None
    simultaneous: bool = False

    def members(self) -> dict[str, Any]:
        """The request's JSON object, without what is left open."""
        members: dict[str, Any] = {"dataset": self.dataset, "sql": self.sql}
        match self.budget:
            case Epsilon(epsilon):
                members["epsilon"] = epsilon
            case Rho(rho):
                members["rho"] = rho
            case Error(relative, group_size):
                members["error"] = {"relative": relative, "groupSize": group_size}
        members |= {
            key: value
            for key, value in (
                ("selectionDelta", self.selection_delta),
                ("groupsPerUnit", self.groups_per_unit),
                ("rowsPerGroup", self.rows_per_group),
                ("boundingShares", self.bounding_shares),
                ("purpose", self.purpose),
                ("simultaneous", True if self.simultaneous else None),
            )
            if value is not None
        }
        return members

    def body(self) -> bytes:
        """The bytes that are sent."""
        return encoded(self.members())

    def digest(self, dataset_version: str) -> str:
        """What a receipt says was asked: SHA-256, hex, of the canonical request (docs/http.md)."""
        members = self.members()
        members["version"] = dataset_version
        for key in ("epsilon", "rho", "selectionDelta"):
            if key in members:
                members[key] = bits(members[key])
        if "error" in members:
            members["error"] = {key: bits(value) for key, value in members["error"].items()}
        # Absent and true ask for the same.
        if members.pop("boundingShares", True) is False:
            members["boundingShares"] = "false"
        if self.simultaneous:
            members["simultaneous"] = 1
        return hashlib.sha256(b"parley request v1\n" + canonical(members)).hexdigest()


def encoded(members: Any) -> bytes:
    """The JSON that is sent.

    Raises:
        InvalidArgument: Something in it is no JSON, or no Unicode.
    """
    try:
        return canonical(members)
    except (TypeError, ValueError) as error:
        raise InvalidArgument(f"this cannot be sent as JSON: {error}") from None


def attempt_key(request: Any, text: str, catalogue: Iterable[DatasetSummary]) -> str:
    """The idempotency key of a request: the same for the same request of the same data, so that it is paid once.

    The versions of all datasets that the text names are in it: a question of a table that was replaced is another question.

    Parameters:
        request: What is asked, as JSON.
        text: Where datasets are named: the question's SQL, or all that is sent.
    """
    words = {word.lower() for word in re.findall(r"[\w-]+", text)} | {word.lower() for word in re.findall(r"\w+", text)}
    versions = {entry.name: entry.version for entry in catalogue if entry.name.lower() in words}
    return "same-" + hashlib.sha256(encoded({"request": request, "versions": versions})).hexdigest()
