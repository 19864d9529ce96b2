"""Nothing is paid twice: not after a broken connection, not when it is asked again, and not for a tool's probes."""

import asyncio
import re
import threading

import pytest
from impostors import cutting_proxy

import parley
import parley.dbapi

COUNT = "SELECT COUNT(*) AS n FROM randhie"


def test_a_reply_that_is_cut_is_asked_for_again_and_charged_once(datasite, connect, site, spent):
    alone = site["randhie"].ask("SELECT COUNT(*) AS other FROM randhie", epsilon=0.2).charge.rho
    with cutting_proxy(datasite.url, b"/v1/ask", cuts=2) as (url, seen):
        answer = connect(url)["randhie"].ask(COUNT, epsilon=0.2)
    assert len(seen) == 3 and len({request.split(b"\r\n\r\n")[1] for request in seen}) == 1
    assert spent()["rand-hie-participants"] == pytest.approx(2 * alone, rel=1e-9)
    assert answer.document == site.answer(answer.request).document
    assert len(site.history()) == 2


def test_a_fresh_question_whose_reply_is_cut_is_charged_once_too(datasite, connect, site, spent):
    with cutting_proxy(datasite.url, b"/v1/ask", cuts=1) as (url, seen):
        answer = connect(url)["randhie"].ask(COUNT, epsilon=0.2, fresh=True)
    assert len(seen) == 2 and spent()["rand-hie-participants"] == pytest.approx(answer.charge.rho, rel=1e-9)


def test_a_fresh_question_that_stays_broken_says_the_key_under_which_it_is_paid_already(datasite, connect, site, spent):
    with cutting_proxy(datasite.url, b"/v1/ask", cuts=9) as (url, _), pytest.raises(parley.Interrupted) as error:
        connect(url, retries=0)["randhie"].ask(COUNT, epsilon=0.2, fresh=True)
    key = re.search("idempotency_key='([^']+)'", str(error.value)).group(1)
    answer = site["randhie"].ask(COUNT, epsilon=0.2, idempotency_key=key)
    assert spent()["rand-hie-participants"] == pytest.approx(answer.charge.rho, rel=1e-9)


def test_a_connection_that_stays_broken_is_an_error_and_asking_again_later_costs_nothing_more(datasite, connect, site, spent):
    with cutting_proxy(datasite.url, b"/v1/ask", cuts=9) as (url, seen), pytest.raises(parley.Interrupted, match="not charged twice"):
        connect(url, retries=1)["randhie"].ask(COUNT, epsilon=0.2)
    assert len(seen) == 2
    answer = site["randhie"].ask(COUNT, epsilon=0.2)
    assert spent()["rand-hie-participants"] == pytest.approx(answer.charge.rho, rel=1e-9)


def test_the_same_question_is_free_a_second_time_and_a_fresh_one_is_paid(connect, site, spent):
    first = site["randhie"].ask(COUNT, epsilon=0.2)
    once = spent()["rand-hie-participants"]
    # Another client, as in another process: nothing is kept here.
    again = connect()["randhie"].ask(COUNT, epsilon=0.2)
    assert again.document == first.document and spent()["rand-hie-participants"] == once
    fresh = site["randhie"].ask(COUNT, epsilon=0.2, fresh=True)
    assert fresh.request != first.request and spent()["rand-hie-participants"] == pytest.approx(2 * once, rel=1e-9)
    assert site["randhie"].ask(COUNT, epsilon=0.2).document == first.document


def test_another_budget_or_text_is_another_question(site, spent):
    answers = [
        site["randhie"].ask(COUNT, epsilon=0.1),
        site["randhie"].ask(COUNT, epsilon=0.2),
        site["randhie"].ask(COUNT + " ", epsilon=0.1),
    ]
    assert len({answer.request for answer in answers}) == 3
    assert spent()["rand-hie-participants"] == pytest.approx(sum(answer.charge.rho for answer in answers), rel=1e-9)


def test_an_attempt_of_ones_own_name_is_paid_once_and_is_of_one_question(site):
    first = site["randhie"].ask(COUNT, epsilon=0.1, idempotency_key="mine")
    assert site["randhie"].ask(COUNT, epsilon=0.1, idempotency_key="mine").document == first.document
    with pytest.raises(parley.Conflict, match="another request"):
        site["randhie"].ask(COUNT, epsilon=0.2, idempotency_key="mine")


def test_a_question_of_a_table_that_was_replaced_is_another_question(datasite, site, tmp_path):
    from datasites import visits

    data, manifest = visits(tmp_path, "changing", "{loss: pure, total: {epsilon: 10}}")
    datasite.add(data, manifest)
    sql = "SELECT COUNT(*) AS n FROM changing"
    first = site["changing"].ask(sql, epsilon=0.5)
    assert site["changing"].ask(sql, epsilon=0.5).document == first.document
    datasite.owner("data", "version", "changing", str(data))
    second = site["changing"].ask(sql, epsilon=0.5)
    assert second.request != first.request and second.version != first.version


def test_callers_at_one_time_pay_once(datasite, token, site, spent):
    async def ask():
        async with await parley.connect_async(datasite.url, token) as other:
            return await asyncio.gather(*(other["randhie"].ask(COUNT, epsilon=0.2) for _ in range(5)))

    answers = asyncio.run(ask())
    found = []
    threads = [threading.Thread(target=lambda: found.append(site["randhie"].ask(COUNT, epsilon=0.2))) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({answer.document for answer in [*answers, *found]}) == 1 and len(found) == 5
    assert spent()["rand-hie-participants"] == pytest.approx(answers[0].charge.rho, rel=1e-9)


PROBES = [
    ("SELECT 1", ["1"], 1),
    ("select 1 as one, 'it''s' two, NULL as x, 2.5, true;", ["one", "two", "x", "2.5", "true"], 1),
    ("SELECT * FROM randhie LIMIT 0", None, 0),
    ("SELECT * FROM randhie WHERE 1 = 0", None, 0),
    ("SELECT r.coins, \"MDVIS\" FROM randhie r WHERE 0=1 -- a tool", ["coins", "mdvis"], 0),
    ("SELECT coins, COUNT(*) AS n FROM randhie GROUP BY coins LIMIT 0", ["coins", "n"], 0),
    ("SELECT AVG(mdvis) FROM randhie WHERE FALSE LIMIT 10", ["AVG(mdvis)"], 0),
    ("SELECT coins, COUNT(*) AS n FROM randhie GROUP BY coins LIMIT 0 OFFSET 5", ["coins", "n"], 0),
]  # fmt: skip


@pytest.mark.parametrize(("sql", "names", "rows"), PROBES)
def test_what_tools_ask_to_learn_of_columns_is_never_charged(site, spent, sql, names, rows):
    answer = site["randhie"].ask(sql, epsilon=0.5)
    assert len(answer) == rows and sum(spent().values()) == 0 and not site.history()
    assert answer.names == names if names is not None else len(answer.names) == 45
    assert "nothing was charged" in repr(answer)
    # Without a budget too, since none is spent.
    assert site["randhie"].ask(sql).names == answer.names


QUESTIONS = [
    "SELECT COUNT(*) FROM randhie LIMIT 1",
    "SELECT COUNT(*) AS n FROM randhie WHERE coins = 0",
    "SELECT coins, COUNT(*) FROM randhie GROUP BY coins LIMIT 05",
    "SELECT COUNT(*) FROM randhie -- LIMIT 0",
    "SELECT COUNT(*) AS \"LIMIT 0\" FROM randhie",
    "SELECT COUNT(*) FROM randhie WHERE '1=0' = 'LIMIT 0'",
    "SELECT COUNT(*) FROM randhie WHERE 1 = 0 OR coins = 0",
    "SELECT 1 + 1",
    "SELECT COUNT(1)",
    "DELETE FROM randhie",
    "",
]  # fmt: skip


@pytest.mark.parametrize("sql", QUESTIONS)
def test_what_is_a_question_is_no_probe(sql):
    from parley.probes import Probe

    assert Probe.of(sql) is None
