"""PEP 249, pandas.read_sql and SQLAlchemy."""

import datetime
import decimal
import warnings

import numpy as np
import pytest

import parley
from parley import dbapi
from parley.sql import asked_dataset, bound, literal

COINS = "SELECT coins, COUNT(*) AS n, AVG(mdvis) AS visits FROM randhie GROUP BY coins"


def test_the_module_has_what_pep_249_asks_for():
    assert (dbapi.apilevel, dbapi.paramstyle) == ("2.0", "qmark") and dbapi.threadsafety in (0, 1, 2, 3)
    assert issubclass(dbapi.Error, Exception) and issubclass(dbapi.Warning, Exception)
    for name in ("DataError", "OperationalError", "IntegrityError", "InternalError", "ProgrammingError", "NotSupportedError"):
        assert issubclass(getattr(dbapi, name), dbapi.DatabaseError) and getattr(dbapi.Connection, name) is getattr(dbapi, name)
    assert issubclass(dbapi.InterfaceError, dbapi.Error) and not issubclass(dbapi.InterfaceError, dbapi.DatabaseError)
    assert dbapi.NUMBER == "integer" and dbapi.NUMBER != "text" and dbapi.STRING == "text" and dbapi.DATETIME == "date"
    assert dbapi.Date(2020, 1, 31) == dbapi.DateFromTicks(1580428800) and dbapi.TimeFromTicks(60).minute == 1
    with pytest.raises(dbapi.NotSupportedError):
        dbapi.Binary(b"")


def test_a_cursor_asks_and_gives_rows(site):
    connection = dbapi.connect(site=site, epsilon=0.2)
    cursor = connection.cursor()
    assert cursor.rowcount == -1 and cursor.description is None
    with pytest.raises(dbapi.InterfaceError, match="nothing was asked"):
        cursor.fetchone()
    cursor.execute(COINS)
    assert [column[:2] for column in cursor.description] == [("coins", "integer"), ("n", "integer"), ("visits", "real")]
    assert cursor.rowcount == 5 and cursor.fetchone()[0] == 0 and [row[0] for row in cursor.fetchmany(2)] == [25, 50]
    assert [row[0] for row in cursor] == [95, 100] and cursor.fetchone() is None and cursor.fetchall() == []
    cursor.answer.receipt.verify(site.key)
    connection.commit()
    connection.rollback()
    cursor.close()
    with pytest.raises(dbapi.InterfaceError, match="cursor is closed"):
        cursor.execute(COINS)
    connection.close()
    with pytest.raises(dbapi.InterfaceError, match="connection is closed"):
        connection.cursor()
    assert site.identity().role == "researcher"


def test_the_budget_is_a_setting_of_the_connection(datasite, token, spent):
    with dbapi.connect(datasite.url, token, key=datasite.key, epsilon=0.1, intervals=True) as connection:
        cursor = connection.cursor().execute(COINS)
        assert [column[0] for column in cursor.description] == [
            "coins", "n", "n_lower", "n_upper", "visits", "visits_lower", "visits_upper",
        ]  # fmt: skip
        first = spent()["rand-hie-participants"]
        cursor.execute(COINS)
        assert spent()["rand-hie-participants"] == first
        connection.settings["epsilon"] = 0.2
        assert cursor.execute(COINS).answer.charge.rho > first
        connection.settings["epsilon"] = None
        with pytest.raises(dbapi.ProgrammingError, match="may cost"):
            cursor.execute(COINS)


def test_parameters_are_bound_as_literals(site):
    cursor = dbapi.connect(site=site, epsilon=5, wait=False).cursor()
    sql = "SELECT COUNT(*) AS n FROM clinic WHERE ward = ? AND day >= ? AND arrived < ? AND minutes > ? AND insured = ? AND '?' <> ?"
    cursor.execute(sql, ("o'neill", datetime.date(2020, 2, 1), datetime.datetime(2020, 12, 1, 12), -1.5, True, "?"))
    bound_sql = cursor.answer.sql
    assert "ward = 'o''neill' AND day >= DATE '2020-02-01' AND arrived < TIMESTAMP '2020-12-01 12:00:00'" in bound_sql
    assert "minutes > (-1.5) AND insured = TRUE AND '?' <> '?'" in bound_sql and cursor.rowcount == 1
    with pytest.raises(dbapi.DataError, match="6 places"):
        cursor.execute(sql, (1,))
    with pytest.raises(dbapi.DataError, match="bytes has no literal"):
        cursor.execute("SELECT COUNT(*) FROM clinic WHERE ward = ?", (b"x",))


def test_literals():
    zone = datetime.timezone(datetime.timedelta(hours=2))
    cases = {
        "NULL": None, "FALSE": np.bool_(False), "7": np.int64(7), "0.1": 0.1, "1e+300": 1e300, "'a''b\\'": "a'b\\",
        "12.50": decimal.Decimal("12.50"), "TIMESTAMP '2020-01-01 10:30:00'": datetime.datetime(2020, 1, 1, 12, 30, 0, 9, zone),
    }  # fmt: skip
    for text, value in cases.items():
        assert literal(value) == text
    for value in (float("nan"), float("inf"), decimal.Decimal("NaN"), "a\0b", b"", [1], object()):
        with pytest.raises(parley.InvalidArgument):
            literal(value)


def test_a_place_within_text_names_or_comments_is_none():
    assert bound("SELECT '?' \"?\" `?` -- ?\n /* ? */ + ?", [1]) == "SELECT '?' \"?\" `?` -- ?\n /* ? */ + 1"
    assert bound("a = 1-?", [-1]) == "a = 1-(-1)"
    # A text that was bound is not searched for places.
    assert bound("? ?", ["?", 2]) == "'?' 2"


@pytest.mark.parametrize(
    ("sql", "name"),
    [
        ("SELECT COUNT(*) FROM visits AS v", "visits"),
        ('select extract(year from day) from "my ""table"""', 'my "table"'),
        ("SELECT 'FROM x' -- FROM y\n FROM z", "z"),
        ("SELECT 1", None),
    ],
)
def test_the_dataset_stands_behind_from(sql, name):
    assert asked_dataset(sql) == name


def test_errors_are_those_of_pep_249(site, datasite):
    cursor = dbapi.connect(site=site, epsilon=10).cursor()
    with pytest.raises(dbapi.OperationalError, match="is left") as over:
        cursor.execute(COINS)
    assert isinstance(over.value.__cause__, parley.OverBudget)
    for sql in ("SELECT * FROM randhie", "SELECT COUNT(*) FROM nothing", "DELETE", "SELECT COUNT(*)"):
        with pytest.raises(dbapi.ProgrammingError):
            cursor.execute(sql)
    with pytest.raises(dbapi.OperationalError, match="waits for 1 owner"):
        dbapi.connect(site=site, epsilon=1).cursor().execute("SELECT COUNT(*) FROM votes")
    with pytest.raises(dbapi.IntegrityError):
        dbapi.connect(datasite.url, "parley_x", key="A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg=")
    with pytest.raises(dbapi.OperationalError):
        dbapi.connect("http://127.0.0.1:1", "parley_x")


def test_pandas_reads(site, spent):
    pandas = pytest.importorskip("pandas")
    connection = dbapi.connect(site=site, epsilon=0.2, intervals=True)
    with warnings.catch_warnings():
        # pandas warns of every connection that is not SQLAlchemy's.
        warnings.simplefilter("ignore", UserWarning)
        frame = pandas.read_sql(COINS, connection)
        assert list(frame["coins"]) == [0, 25, 50, 95, 100] and (frame["n_lower"] < frame["n_upper"]).all()
        once = spent()
        again = pandas.read_sql(COINS, connection)
        assert again.equals(frame) and spent() == once
        some = pandas.read_sql("SELECT COUNT(*) AS n FROM randhie WHERE xage > ?", connection, params=(18,))
        assert some.shape == (1, 3)
        empty = pandas.read_sql("SELECT * FROM randhie LIMIT 0", connection)
        assert empty.shape == (0, 45)


@pytest.fixture
def engine(datasite, token):
    sqlalchemy = pytest.importorskip("sqlalchemy")
    engine = sqlalchemy.create_engine(
        f"parley://{datasite.url.removeprefix('http://')}/?epsilon=0.2", connect_args={"token": token, "key": datasite.key}
    )
    yield engine
    engine.dispose()


def test_sqlalchemy_connects_reflects_and_asks(engine, spent):
    import sqlalchemy

    inspector = sqlalchemy.inspect(engine)
    assert inspector.get_table_names() == ["clinic", "plans", "randhie", "votes"] and inspector.has_table("plans")
    table = sqlalchemy.Table("randhie", sqlalchemy.MetaData(), autoload_with=engine)
    assert len(table.c) == 45 and isinstance(table.c.coins.type, sqlalchemy.BigInteger)
    with engine.connect() as connection:
        assert connection.execute(sqlalchemy.text("SELECT 1")).scalar() == 1
        assert sum(spent().values()) == 0
        question = (
            sqlalchemy.select(table.c.coins, sqlalchemy.func.count().label("n"))
            .where(table.c.xage > 18)
            .group_by(table.c.coins)
            .order_by(table.c.coins)
            .limit(2)
        )
        rows = connection.execute(question).fetchall()
        with pytest.raises(sqlalchemy.exc.ProgrammingError, match="rows cannot be selected"):
            connection.execute(sqlalchemy.select(table.c.coins)).fetchall()
    assert [row.coins for row in rows] == [0, 25] and sum(spent().values()) > 0


def test_pandas_reads_by_sqlalchemy(engine):
    pandas = pytest.importorskip("pandas")
    frame = pandas.read_sql(COINS, engine)
    assert frame.shape == (5, 3)
