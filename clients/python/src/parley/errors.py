"""What can go wrong, each with what is wrong and the next step.

A datasite that refuses says why (`Refusal` and its kinds). Where nothing believable came back, it is a
`TransportError`. A question that waits for an owner is `PendingApproval`, and one that she denied is `Denied`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from .messages import Problem, QuestionsLeft, RequestSummary, read

if TYPE_CHECKING:
    from .jobs import AsyncJob, Job

_PREFIX = "urn:parley:problem:"
# A site's hints are written for the command line.
_IN_PYTHON = (
    (r"`parley data list`", "site.datasets"),
    (r"`parley data show`", "site[name].detail()"),
    (r"`parley budget`", "site.budget()"),
    (r"`parley jobs`", "site.jobs()"),
    (r"`parley jobs follow (\w+)`", r"site.job('\1').wait()"),
    (r"`parley (?:history|requests)`", "site.history()"),
    (r"`parley history (\w+)`", r"site.job('\1').refresh()"),
    (r"send 'Authorization: Bearer TOKEN' with the token that the owner gave you", "give the token that the owner gave you"),
)


class ParleyError(Exception):
    """Everything that this package raises on purpose.

    `detail` says what is wrong, for people; `hint` is the next step, or None.
    """

    def __init__(self, detail: str, hint: str | None = None) -> None:
        self.detail = detail
        self.hint = hint
        between = "\n" if "\n" in detail else "; "
        super().__init__(f"{detail}{between}{hint}" if hint else detail)


class InvalidArgument(ParleyError, ValueError):
    """What was given cannot be meant; nothing was sent."""


# What a datasite refuses.


class Refusal(ParleyError):
    """The datasite refuses, and says why (a problem document, RFC 9457).

    `code` is stable over all versions: `over-budget`, `not-allowed`, `invalid-question` and so on. `status` is HTTP's.
    """

    def __init__(
        self,
        detail: str,
        hint: str | None = None,
        *,
        code: str = "",
        title: str = "",
        status: int = 0,
        position: int | None = None,
        left: QuestionsLeft | None = None,
    ) -> None:
        self.code = code
        self.title = title
        self.status = status
        self.position = position
        self.left = left
        super().__init__(detail, hint)

    @staticmethod
    def of(document: Any, question: str | None = None) -> Refusal:
        """The refusal that a problem document tells of.

        Parameters:
            document: The document, as JSON was read.
            question: The SQL text that was sent, to show the place that is meant.

        Raises:
            Malformed: It is none.
        """
        problem = read(Problem, document)
        code = problem.type.removeprefix(_PREFIX)
        detail, hint, left = problem.detail, problem.hint, problem.left
        if hint is not None:
            for pattern, words in _IN_PYTHON:
                hint = re.sub(pattern, words, hint)
        if code == "over-budget" and left is not None and left.largest is not None:
            hint = f"the largest that fits: {left.unit}={left.largest:g}; or ask the owner"
        if problem.position is not None and question is not None:
            detail += "\n" + _place(question, problem.position)
        return _KINDS.get(code, Refusal)(
            detail, hint, code=code, title=problem.title, status=problem.status, position=problem.position, left=left
        )


def _place(sql: str, position: int) -> str:
    """The line of the question that is meant, with a mark below."""
    before = sql.encode()[:position].decode(errors="ignore")
    line = before.count("\n")
    column = len(before) - (before.rfind("\n") + 1)
    text = (sql.splitlines() or [""])[min(line, max(0, len(sql.splitlines()) - 1))]
    start = max(0, column - 60)
    return f"  {text[start : start + 100]}\n  {' ' * (column - start)}^"


class Unauthenticated(Refusal):
    """The token is none of this datasite's, or was revoked."""


class Forbidden(Refusal):
    """The role of whoever asks may not do this."""


class NotAllowed(Forbidden):
    """The owner's policy does not allow the question."""


class OverBudget(Refusal):
    """The budget does not suffice. `left` says how much would."""


class NotFound(Refusal):
    """There is no such thing, or not for whoever asks."""


class Conflict(Refusal):
    """The request does not fit the present state."""


class InvalidRequest(Refusal):
    """The request is malformed."""


class InvalidQuestion(Refusal):
    """The question cannot be answered, whatever the budget. `position` is the place in its text, in bytes of UTF-8."""


class TooManyQuestions(Refusal):
    """The researcher has asked too much today."""


class Busy(Refusal):
    """All of the datasite's engines, or connections, are in use. Nothing was charged."""


class SiteUnavailable(Refusal):
    """The datasite cannot work at present."""


_KINDS: dict[str, type[Refusal]] = {
    "unauthenticated": Unauthenticated,
    "forbidden": Forbidden,
    "not-allowed": NotAllowed,
    "over-budget": OverBudget,
    "not-found": NotFound,
    "conflict": Conflict,
    "invalid-request": InvalidRequest,
    "invalid-question": InvalidQuestion,
    "too-many-questions": TooManyQuestions,
    "busy": Busy,
    "site-unavailable": SiteUnavailable,
}


# What waits.


class PendingApproval(ParleyError):
    """The request waits for an owner's approval; its cost is held meanwhile, and given back if she denies.

    `job.wait()` waits for her decision and gives the answer. The same question, asked again, is the same request.
    """

    def __init__(self, job: Job | AsyncJob) -> None:
        self.job = job
        self.request = job.request
        owners = self.request.approvals_needed - len(self.request.approvals)
        super().__init__(
            f"request {self.request.id} waits for {owners} owner{'' if owners == 1 else 's'} to approve it; its cost is held",
            "wait for the decision with error.job.wait(), or ask the same again later: it is the same request",
        )

    def wait(self, timeout: float | None = None) -> Any:
        """Waits for the owner's decision, and gives the answer: `job.wait(timeout)`."""
        return self.job.wait(timeout)


class Denied(ParleyError):
    """The request came to no answer: an owner denied it, it lapsed, or it was withdrawn. `request` says which, and why."""

    def __init__(self, request: RequestSummary) -> None:
        self.request = request
        words = {"denied": "was denied by an owner", "lapsed": "lapsed", "cancelled": "was withdrawn"}
        state = words.get(request.state, f"is {request.state}")
        because = f": {request.reason}" if request.reason else ""
        charged = "its charge stays" if request.is_charged else "nothing was charged"
        super().__init__(f"request {request.id} {state}{because}; {charged}", "to ask anew: fresh=True")


class StillWaiting(ParleyError, TimeoutError):
    """The time that `wait` was given is over, and the request goes on."""


# What is not believed, or did not come.


class TransportError(ParleyError):
    """Nothing, or nothing believable, came back."""


class InvalidURL(TransportError, ValueError):
    """The URL cannot be used."""


class Unreachable(TransportError):
    """No connection could be made."""


class Untrusted(TransportError):
    """The certificate is not trusted, or the handshake failed."""


class TimedOut(TransportError, TimeoutError):
    """No answer came within the time that is allowed."""


class Interrupted(TransportError):
    """The connection broke before the response was whole."""


class NotADatasite(TransportError):
    """What answered does not speak this protocol."""


class InvalidReceipt(TransportError):
    """A receipt does not hold for the answer, the question or the pinned key."""
