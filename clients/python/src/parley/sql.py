"""As much of SQL's spelling as a client needs: words, literals and places, never a meaning. The datasite reads the question."""

from __future__ import annotations

import datetime
import decimal
import itertools
import math
import re
from dataclasses import dataclass
from typing import Any

from .errors import InvalidArgument

_TOKEN = re.compile(
    r"""(?P<blank>[ \t\n\r\f]+|--[^\n]*|/\*.*?\*/)
      | (?P<text>'(?:[^']|'')*')
      | (?P<quoted>"(?:[^"]|"")*"|`(?:[^`]|``)*`)
      | (?P<number>(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)
      | (?P<word>[^\W0-9][\w$]*)
      | (?P<symbol><=|>=|<>|!=|==|\|\||::|.)""",
    re.VERBOSE | re.DOTALL,
)


@dataclass(frozen=True)
class Token:
    """A piece of a question: `kind` is text, quoted, number, word or symbol; from `start` to `end` in the text."""

    kind: str
    text: str
    start: int
    end: int

    @property
    def name(self) -> str:
        """A name as it is meant: without its quotes."""
        if self.kind != "quoted":
            return self.text
        quote = self.text[0]
        return self.text[1:-1].replace(quote * 2, quote)

    def is_word(self, *words: str) -> bool:
        return self.kind == "word" and self.text.upper() in words


def tokens(sql: str) -> list[Token]:
    """A question's tokens, without blanks, comments and a semicolon at the end."""
    found = [Token(match.lastgroup or "symbol", match.group(), match.start(), match.end()) for match in _TOKEN.finditer(sql)]
    kept = [token for token in found if token.kind != "blank"]
    while kept and kept[-1].text == ";":
        kept.pop()
    return kept


def asked_dataset(sql: str) -> str | None:
    """The name behind the first FROM: the dataset that a question is about.

    >>> asked_dataset("SELECT EXTRACT(YEAR FROM day), COUNT(*) FROM visits GROUP BY 1")
    'visits'
    """
    depth = 0
    for token, following in itertools.pairwise(tokens(sql)):
        depth += {"(": 1, ")": -1}.get(token.text, 0) if token.kind == "symbol" else 0
        # EXTRACT(part FROM d) and SUBSTRING(x FROM 2) have one too.
        if depth == 0 and token.is_word("FROM") and following.kind in ("word", "quoted"):
            return following.name
    return None


def literal(value: Any) -> str:
    """A value as a literal of docs/sql.md.

    A time without a zone is taken as UTC, as the datasite does.

    >>> print(literal("O'Neill"), literal(True), literal(0.5), literal(None), literal(datetime.date(2020, 1, 31)))
    'O''Neill' TRUE 0.5 NULL DATE '2020-01-31'

    Raises:
        InvalidArgument: There is no literal for it.
    """
    if hasattr(value, "item") and callable(value.item) and getattr(value, "ndim", None) == 0:
        value = value.item()
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise InvalidArgument(f"{value} has no literal", "only finite numbers can be asked about; null is None")
        return repr(value)
    if isinstance(value, decimal.Decimal):
        if not value.is_finite():
            raise InvalidArgument(f"{value} has no literal", "only finite numbers can be asked about; null is None")
        return format(value, "f")
    if isinstance(value, str):
        if "\0" in value:
            raise InvalidArgument("a text with a zero byte has no literal")
        return "'" + value.replace("'", "''") + "'"
    if isinstance(value, datetime.datetime):
        if value.tzinfo is not None:
            value = value.astimezone(datetime.timezone.utc)
        return f"TIMESTAMP '{value.replace(microsecond=0, tzinfo=None).isoformat(' ')}'"
    if isinstance(value, datetime.date):
        return f"DATE '{value.isoformat()}'"
    raise InvalidArgument(f"a {type(value).__name__} has no literal", "bind numbers, text, booleans, dates or None")


def bound(sql: str, parameters: Any) -> str:
    """The question with each `?` replaced by the literal of its parameter; those within text, names and comments stay.

    >>> bound("SELECT COUNT(*) FROM visits WHERE ward = ? AND note <> '?'", ["east"])
    "SELECT COUNT(*) FROM visits WHERE ward = 'east' AND note <> '?'"

    Raises:
        InvalidArgument: There are more or fewer parameters than places.
    """
    values = list(parameters)
    places = [token for token in tokens(sql) if token.kind == "symbol" and token.text == "?"]
    if len(values) != len(places):
        raise InvalidArgument(f"the question has {len(places)} places (?) and {len(values)} parameters were given")
    parts: list[str] = []
    end = 0
    for token, value in zip(places, values, strict=True):
        text = literal(value)
        # Two minus signs would begin a comment.
        parts += [sql[end : token.start], f"({text})" if text.startswith("-") else text]
        end = token.end
    return "".join([*parts, sql[end:]])
