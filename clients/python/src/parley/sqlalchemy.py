"""A dialect of SQLAlchemy, as small as reading needs: `parley://:TOKEN@HOST:PORT/DATASET?epsilon=0.1`.

    engine = sqlalchemy.create_engine("parley://127.0.0.1:8787/?epsilon=0.1", connect_args={"token": token})
    pandas.read_sql("SELECT COUNT(*) AS n FROM randhie", engine)

Plain HTTP is taken to this machine, HTTPS elsewhere. Without a token in the URL the login's is taken.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import types
from sqlalchemy.engine import default
from sqlalchemy.sql import compiler

from . import dbapi

_TYPES = {
    "integer": types.BigInteger,
    "real": types.Float,
    "text": types.Text,
    "boolean": types.Boolean,
    "date": types.Date,
    "timestamp": types.DateTime,
}
_NUMBERS = ("epsilon", "rho", "group_size", "timeout", "question_timeout")


class _Compiler(compiler.SQLCompiler):
    def limit_clause(self, select: Any, **kw: Any) -> str:
        text = ""
        if select._limit_clause is not None:
            text += "\n LIMIT " + self.process(select._limit_clause, **kw)
        if select._offset_clause is not None:
            text += " OFFSET " + self.process(select._offset_clause, **kw)
        return text


class ParleyDialect(default.DefaultDialect):
    """Questions, and the catalogue; nothing is ever written."""

    name = "parley"
    driver = "parley"
    default_paramstyle = "qmark"
    statement_compiler = _Compiler
    supports_statement_cache = True
    supports_native_boolean = True
    postfetch_lastrowid = False

    @classmethod
    def import_dbapi(cls) -> Any:
        return dbapi

    def create_connect_args(self, url: Any) -> Any:
        query: dict[str, Any] = dict(url.query)
        named = {key: float(value) if key in _NUMBERS else value for key, value in query.items()}
        if "intervals" in named:
            named["intervals"] = str(named["intervals"]).lower() in ("1", "true", "yes")
        if url.host:
            host = f"[{url.host}]" if ":" in url.host else url.host
            named["url"] = host + (f":{url.port}" if url.port else "")
        if url.password:
            named["token"] = url.password
        if url.database:
            named["dataset"] = url.database
        return [], named

    def do_rollback(self, dbapi_connection: Any) -> None:
        dbapi_connection.rollback()

    def _get_server_version_info(self, connection: Any) -> Any:
        return None

    def _get_default_schema_name(self, connection: Any) -> Any:
        return None

    def _site(self, connection: Any) -> Any:
        return connection.connection.dbapi_connection.site

    def get_schema_names(self, connection: Any, **kw: Any) -> Any:
        return []

    def get_table_names(self, connection: Any, schema: Any = None, **kw: Any) -> Any:
        return self._site(connection).datasets.names

    def get_view_names(self, connection: Any, schema: Any = None, **kw: Any) -> Any:
        return []

    def has_table(self, connection: Any, table_name: str, schema: Any = None, **kw: Any) -> bool:
        return table_name in self._site(connection).datasets

    def get_columns(self, connection: Any, table_name: str, schema: Any = None, **kw: Any) -> Any:
        return [
            {
                "name": column.name,
                "type": _TYPES.get(column.type, types.Text)(),
                "nullable": column.nullable,
                "default": None,
                "comment": column.description,
            }
            for column in self._site(connection)[table_name].columns
        ]

    def get_pk_constraint(self, connection: Any, table_name: str, schema: Any = None, **kw: Any) -> Any:
        return {"constrained_columns": [], "name": None}

    def get_foreign_keys(self, connection: Any, table_name: str, schema: Any = None, **kw: Any) -> Any:
        return []

    def get_indexes(self, connection: Any, table_name: str, schema: Any = None, **kw: Any) -> Any:
        return []
