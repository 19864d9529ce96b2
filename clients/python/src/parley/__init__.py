"""Ask questions of data that you may not see: a client for Parley datasites.

    site = parley.connect("https://data.example.org", token=...)
    answer = site["randhie"].ask("SELECT coins, AVG(mdvis) FROM randhie GROUP BY coins", epsilon=0.5)
    answer.to_pandas()

Answers are protected by differential privacy, cost a part of a budget that is known beforehand, and come with a receipt that this
package verifies. The guide is docs/guide/python.md in Parley's repository.
"""

import importlib

from .aio import AsyncDataset, AsyncSite, connect_async
from .answer import Answer, Estimate, Table
from .client import Dataset, Site, connect, login
from .conversation import Options, Released
from .errors import (
    Busy,
    Conflict,
    Denied,
    Forbidden,
    Interrupted,
    InvalidArgument,
    InvalidQuestion,
    InvalidReceipt,
    InvalidRequest,
    InvalidURL,
    NotADatasite,
    NotAllowed,
    NotFound,
    OverBudget,
    ParleyError,
    PendingApproval,
    Refusal,
    SiteUnavailable,
    StillWaiting,
    TimedOut,
    TooManyQuestions,
    TransportError,
    Unauthenticated,
    Unreachable,
    Untrusted,
)
from .jobs import AsyncJob, Job
from .messages import BudgetReport, Column, DatasetDetail, DatasetSummary, Loss, Preview, RequestEvent, RequestSummary
from .questions import Epsilon, Error, Question, Rho
from .receipts import Receipt

__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    """`parley.dbapi` without an import of its own."""
    if name == "dbapi":
        return importlib.import_module(".dbapi", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = [
    "Answer",
    "AsyncDataset",
    "AsyncJob",
    "AsyncSite",
    "BudgetReport",
    "Busy",
    "Column",
    "Conflict",
    "Dataset",
    "DatasetDetail",
    "DatasetSummary",
    "Denied",
    "Epsilon",
    "Error",
    "Estimate",
    "Forbidden",
    "Interrupted",
    "InvalidArgument",
    "InvalidQuestion",
    "InvalidReceipt",
    "InvalidRequest",
    "InvalidURL",
    "Job",
    "Loss",
    "NotADatasite",
    "NotAllowed",
    "NotFound",
    "Options",
    "OverBudget",
    "ParleyError",
    "PendingApproval",
    "Preview",
    "Question",
    "Receipt",
    "Refusal",
    "Released",
    "RequestEvent",
    "RequestSummary",
    "Rho",
    "Site",
    "SiteUnavailable",
    "StillWaiting",
    "Table",
    "TimedOut",
    "TooManyQuestions",
    "TransportError",
    "Unauthenticated",
    "Unreachable",
    "Untrusted",
    "connect",
    "connect_async",
    "login",
]
