"""Answers as tables of others, as text, as HTML and as drawings."""

import datetime
import json

import numpy as np
import pytest

import parley
from parley.answer import Answer
from parley.records import Records

GUARANTEES = {
    "inputPrivacy": "a", "outputPrivacy": "b", "inputVerification": "c", "outputVerification": "d", "flowGovernance": "e",
}  # fmt: skip


def answer(columns, rows, **members):
    """An answer as a site would send it."""
    named = [{"name": name, "type": kind, "isKey": key, **more} for name, kind, key, *rest in columns for more in (rest or [{}])]
    document = {
        "request": "q", "dataset": "d", "version": "v", "sql": "s", "charge": {"kind": "pure", "epsilon": 0.5}, "columns": named,
        "rows": rows, "notes": ["<b>note</b>"], "guarantees": GUARANTEES, "mock": False, **members,
    }  # fmt: skip
    return Answer.of(json.dumps(document).encode(), None)


def cell(value, lower=None, upper=None, flags=None):
    members = {"value": value, "lower": lower, "upper": upper, "flags": flags}
    return {key: inner for key, inner in members.items() if inner is not None or key == "value"}


@pytest.fixture
def table():
    return answer(
        [("ward", "text", True), ("on", "date", True), ("n", "integer", False), ("mean", "real", False), ("last", "timestamp", False)],
        [
            [cell("o'neill"), cell("2020-01-31"), cell(1100, 1000, 1200), cell(2.5, 2.25, 2.75, ["bounded", "new"]),
             cell("2020-01-31T23:59:00Z", "2020-01-01T00:00:00Z", "2020-02-01T00:00:00Z")],
            [cell(None), cell(None), cell(-5, -105, 95), cell(None, "-Infinity", "Infinity"), cell(None)],
        ],
    )  # fmt: skip


def test_columns_are_arrays(table):
    assert table["ward"].tolist() == ["o'neill", None]
    assert table["on"].dtype == "datetime64[D]" and np.isnat(table["on"][1])
    assert table["n"].dtype == np.int64 and table["n"].tolist() == [1100, -5]
    assert table["mean"][0] == 2.5 and np.isnan(table["mean"][1])
    assert table.interval("n")[0].tolist() == [1000.0, -105.0] and table.upper("mean")[1] == np.inf
    assert table.cell(0, "mean") == parley.Estimate(2.5, 2.25, 2.75, ("bounded", "new"))
    assert table.estimates == ["n", "mean", "last"] and [row[0] for row in table] == ["o'neill", None]
    with pytest.raises(KeyError, match="there are ward, on"):
        table["nothing"]


def test_one_number_is_a_value(table):
    one = answer([("n", "integer", False)], [[cell(5, 1, 9)]])
    assert float(one.value) == 5 and one.value.lower == 1
    with pytest.raises(parley.InvalidArgument, match="2 rows of 3 estimates"):
        _ = table.value


def test_pandas_has_intervals_and_flags_as_columns(table):
    pandas = pytest.importorskip("pandas")
    frame = table.to_pandas()
    assert list(frame) == ["ward", "on", "n", "n_lower", "n_upper", "mean", "mean_lower", "mean_upper", "mean_flags", "last",
                           "last_lower", "last_upper"]  # fmt: skip
    assert frame["n"].dtype == "int64" and frame["mean_flags"][0] == "bounded new"
    assert frame["last"].dt.tz is not None and frame["last"][0] == pandas.Timestamp("2020-01-31T23:59Z")
    assert pandas.isna(frame["last"][1]) and frame["mean_lower"][1] == -np.inf
    assert list(table.to_pandas(intervals=False, flags=False)) == table.names
    named = table.to_pandas(suffixes=(" low", " high"), flags=False)
    assert "n low" in named and "n high" in named and "mean_flags" not in named
    with pytest.raises(parley.InvalidArgument):
        table.to_pandas(suffixes=("x",))


def test_polars_and_arrow_have_the_same(table):
    polars, pyarrow = pytest.importorskip("polars"), pytest.importorskip("pyarrow")
    frame, arrow = table.to_polars(), table.to_arrow()
    assert frame.columns == arrow.column_names == list(table.to_pandas())
    assert frame["on"].dtype == polars.Date and arrow.schema.field("last").type == pyarrow.timestamp("s", "UTC")
    assert arrow["on"].to_pylist() == frame["on"].to_list() == [datetime.date(2020, 1, 31), None]
    assert frame["n"].to_list() == arrow["n"].to_pylist() == [1100, -5]
    assert frame["last"].to_list()[0] == arrow["last"].to_pylist()[0]
    assert polars.DataFrame(table).columns == frame.columns
    assert pyarrow.table(table).equals(arrow)


def test_the_interchange_protocol_is_there(table):
    pytest.importorskip("pyarrow")
    exchanged = table.__dataframe__()
    assert exchanged.num_rows() == 2 and list(exchanged.column_names()) == list(table.to_arrow().column_names)


def test_nulls_booleans_and_names_that_collide(table):
    pandas = pytest.importorskip("pandas")
    odd = answer(
        [("n", "integer", False), ("n", "integer", False), ("n_lower", "boolean", True), ("day", "date", True)],
        [[cell(1, 0, 2), cell(3, 2, 4), cell(True), cell("0000-05-01")], [cell(None), cell(2**63, 0, 1), cell(None), cell("2020-01-01")]],
    )
    frame = odd.to_pandas()
    assert list(frame) == ["n", "n_lower", "n_upper", "n_2", "n_lower_2", "n_upper_2", "n_lower_3", "day"]
    assert frame["n"].dtype == "Int64" and pandas.isna(frame["n"][1]) and frame["n_2"][1] == 2.0**63
    assert frame["n_lower_3"].dtype == "boolean"
    # A day of the year 0 has no date in Python, and stays what it is.
    assert odd.to_arrow()["day"].to_pylist() == ["0000-05-01", "2020-01-01"]
    assert str(odd["day"][0]) == "0000-05-01"


def test_a_column_that_is_named_in_double_quotes_is_found_by_its_name():
    quoted = answer([('"Age group"', "text", True), ('AVG("x")', "real", False)], [[cell("65+"), cell(1.5, 1, 2)]])
    assert quoted["Age group"].tolist() == ["65+"] and quoted.names[1] == 'AVG("x")'


def test_text_is_aligned_with_as_many_decimals_as_the_noise_leaves(table):
    lines = repr(table).splitlines()
    assert lines[0].split() == ["ward", "on", "n", "95", "%", "interval", "mean", "95", "%", "interval", "last", "95", "%", "interval"]
    assert "1,100  ± 100" in lines[2] and "2.50*  ± 0.25" in lines[2] and "unbounded" in lines[3]
    assert "2020-01-31T23:59:00Z" in lines[2] and "(null)" in lines[3]
    assert lines[4] == "* bounding left out rows or units: the table's own value may lie outside the interval."
    assert lines[-1] == "Charged ε 0.5; request q."
    even = answer([("m", "real", False)], [[cell(0.123456, 0.113, 0.134)]])
    assert "0.123  ± 0.011" in repr(even)


def test_what_a_site_says_is_shown_and_never_obeyed():
    text = "\x1b[31mred\x07<script>\u202e"
    hostile = answer([(text, "text", True), ("n", "integer", False)], [[cell(text), cell(1, 0, 2)]], notes=[text], request=text)
    records = Records(parley.DatasetSummary, [parley.DatasetSummary(text, text, text, 1, text, text, text)])
    for shown in (repr(hostile), hostile._repr_html_(), repr(records), records._repr_html_()):
        assert "\x1b" not in shown and "\x07" not in shown and "\u202e" not in shown
    assert "<script>" not in hostile._repr_html_() and "&lt;script&gt;" in hostile._repr_html_()
    assert "<script>" not in records._repr_html_()


def test_a_long_answer_is_cut_where_it_is_shown():
    long = answer([("k", "integer", True), ("n", "integer", False)], [[cell(k), cell(k, k - 1, k + 1)] for k in range(100)])
    assert "… and 40 more rows" in repr(long) and "… and 40 more rows" in long._repr_html_() and len(long.head(7)) == 7


def test_estimates_are_drawn_with_their_intervals(table):
    pyplot = pytest.importorskip("matplotlib.pyplot")
    axes = table.plot("n")
    places, errors = axes.containers[0].lines[0].get_xydata(), axes.containers[0].lines[2][0].get_segments()
    assert places.tolist() == [[0, 1100], [1, -5]] and errors[0].tolist() == [[0, 1000], [0, 1200]]
    # An estimate without a value has no point, and an end that is unbounded no bar.
    assert len(table.plot("mean").containers[0].lines[0].get_xydata()) == 1
    bins = [("h 0", "integer", False, {"bin": {"histogram": "h", "lower": 0, "upper": 10}}),
            ("h 1", "integer", False, {"bin": {"histogram": "h", "lower": 10, "upper": 20}})]  # fmt: skip
    histogram = answer(bins, [[cell(4, 3, 5), cell(7, 6, "Infinity")]])
    axes = histogram.plot()
    assert [label.get_text() for label in axes.get_xticklabels()] == ["0 to 10", "10 to 20"]
    lines = repr(histogram).splitlines()
    assert lines[0].split()[:2] == ["h", "count"] and lines[2].split()[:4] == ["[0,", "10)", "4", "3"] and "[10, 20]" in lines[3]
    assert "[10, 20]" in histogram._repr_html_()
    with pytest.raises(parley.InvalidArgument, match="no estimate 'ward'"):
        table.plot("ward")
    pyplot.close("all")
