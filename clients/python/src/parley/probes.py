"""What tools ask to learn which columns there would be, or whether anybody is there: `SELECT 1`, `LIMIT 0`, `WHERE 1 = 0`.

A datasite would charge a question that ends in `LIMIT 0` like any other. The client answers such ones without asking: from the
catalogue, or from the plan (a preview), which both are free.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .answer import Answer, unquoted
from .messages import AnswerColumn, DatasetDetail, Preview
from .sql import Token, tokens

_NOTE = "No row was asked for, and nothing was charged: the columns come from {}."


@dataclass(frozen=True)
class Probe:
    """A question without rows. `literals` are the columns of a `SELECT 1`; `names` are plain columns, or `*`."""

    sql: str
    literals: tuple[tuple[str, Any], ...] | None = None
    names: tuple[str, ...] | None = None

    @classmethod
    def of(cls, sql: str) -> Probe | None:
        """The probe that a question is; None: it is a question.

        >>> Probe.of("SELECT * FROM visits LIMIT 0").names
        ('*',)
        >>> Probe.of("SELECT COUNT(*) FROM visits LIMIT 1") is None
        True
        """
        found = tokens(sql)
        if not found or not found[0].is_word("SELECT"):
            return None
        items, rest = _select_list(found[1:])
        if not rest:
            literals = [_literal(item) for item in items]
            known = [literal for literal in literals if literal is not None]
            return cls(sql, literals=tuple(known)) if known and len(known) == len(literals) else None
        if not _is_empty(rest):
            return None
        names = [_name(item) for item in items]
        plain = [name for name in names if name is not None]
        has_groups = any(token.is_word("GROUP") for token in rest)
        return cls(sql, names=tuple(plain) if len(plain) == len(names) and not has_groups else None)

    @property
    def is_star(self) -> bool:
        """Whether rows' own columns are meant, which only the catalogue knows: no datasite lets rows out."""
        return self.names is not None

    def literal_answer(self) -> Answer:
        """The one row of literals."""
        columns, row = [], []
        for name, value in self.literals or ():
            kinds = {bool: "boolean", int: "integer", float: "real"}
            columns.append(AnswerColumn(name, kinds.get(type(value), "text"), True))
            row.append(value)
        return Answer.made(self.sql, columns, [row], "Literals alone: the client answered, and nothing was charged.")

    def catalogue_answer(self, detail: DatasetDetail) -> Answer:
        """The dictionary's columns, without rows."""
        by_name = {column.name.lower(): column for column in detail.columns}
        names = list(by_name) if self.names == ("*",) else [name.lower() for name in self.names or ()]
        known = [by_name[name] for name in names if name in by_name]
        columns = [AnswerColumn(column.name, column.type, True) for column in known]
        return Answer.made(self.sql, columns, [], _NOTE.format("the catalogue"))

    def empty_answer(self, preview: Preview) -> Answer:
        """The plan's columns, without rows."""
        columns = [AnswerColumn(unquoted(column.name), column.type, column.is_key) for column in preview.columns]
        return Answer.made(self.sql, columns, [], _NOTE.format("the plan"))


def _select_list(found: list[Token]) -> tuple[list[list[Token]], list[Token]]:
    """The items of the list, and what stands from FROM on."""
    items: list[list[Token]] = [[]]
    depth = 0
    for index, token in enumerate(found):
        if token.kind == "symbol":
            depth += {"(": 1, ")": -1}.get(token.text, 0)
            if depth == 0 and token.text == ",":
                items.append([])
                continue
        if depth == 0 and token.is_word("FROM"):
            return items, found[index:]
        items[-1].append(token)
    return items, []


def _is_empty(rest: list[Token]) -> bool:
    """Whether no row can be meant: it ends in LIMIT 0, or its whole condition is false."""
    words = [token.text.upper() for token in rest]
    for index, word in enumerate(words):
        if rest[index].kind != "word":
            continue
        if word == "LIMIT" and words[index + 1 : index + 2] == ["0"] and words[index + 2 : index + 3] in ([], ["OFFSET"]):
            return True
        if word == "WHERE":
            for false in (["1", "=", "0"], ["0", "=", "1"], ["FALSE"]):
                end = index + 1 + len(false)
                if words[index + 1 : end] == false and words[end : end + 1] in ([], ["GROUP"], ["ORDER"], ["LIMIT"]):
                    return True
    return False


def _literal(item: list[Token]) -> tuple[str, Any] | None:
    """A literal of the list, and its name."""
    alias = None
    if len(item) == 3 and item[1].is_word("AS"):
        alias, item = item[2].name, item[:1]
    elif len(item) == 2 and item[1].kind in ("word", "quoted"):
        alias, item = item[1].name, item[:1]
    if len(item) != 1:
        return None
    token = item[0]
    name = alias if alias is not None else token.text
    if token.kind == "number":
        return (name, int(token.text) if token.text.isdigit() else float(token.text))
    if token.kind == "text":
        return (name, token.text[1:-1].replace("''", "'"))
    words: dict[str, Any] = {"TRUE": True, "FALSE": False, "NULL": None}
    if token.kind == "word" and token.text.upper() in words:
        return (name, words[token.text.upper()])
    return None


def _name(item: list[Token]) -> str | None:
    """A plain column of the list, or `*`; what stands before a point is the table."""
    if len(item) == 3 and item[1].text == ".":
        item = item[2:]
    if len(item) != 1:
        return None
    return item[0].name if item[0].kind in ("word", "quoted") or item[0].text == "*" else None
