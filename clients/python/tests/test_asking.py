"""Asking a real datasite: catalogue, cost, answers, receipts, refusals."""

import inspect

import pytest

import parley

COINS = "SELECT coins, COUNT(*) AS n, AVG(mdvis) AS visits FROM randhie GROUP BY coins"


def test_the_catalogue_and_the_dictionary_are_there_and_show_themselves(site):
    assert site.datasets.names == ["clinic", "plans", "randhie", "votes"]
    assert "randhie" in site.datasets and "nobody" not in site.datasets
    assert site.identity().role == "researcher" and site.description().name == "Test site"
    columns = site["randhie"].columns
    assert len(columns) == 45 and columns[2].name == "coins" and columns[2].domain == (0, 25, 50, 95, 100)
    assert "RAND Health Insurance" in repr(site.datasets) and "<table>" in site.datasets._repr_html_()
    assert "0 to 67" in repr(columns) and "Coinsurance" in columns._repr_html_()
    day = next(column for column in site["votes"].columns if column.name == "day")
    assert day.values == "2020-01-01 to 2020-12-31"
    assert columns["coins"].nullable is False and site.datasets["plans"].kind == "lookup"
    with pytest.raises(KeyError, match="no DatasetSummary 'nobody'"):
        site.datasets["nobody"]
    detail = site["randhie"].detail()
    assert detail.rows_per_unit == 5 and "at most 5 rows and 5 groups each" in repr(detail) and "<table>" in detail._repr_html_()


def test_a_preview_says_cost_and_error_and_spends_nothing(site, spent):
    preview = site["randhie"].preview(COINS, epsilon=0.5)
    assert preview.charge.epsilon_at_delta == pytest.approx(0.5, rel=1e-3) and preview.groups == 5
    assert [column.is_key for column in preview.columns] == [True, False, False]
    assert preview.columns[1].expected_error > 0 and preview.left.alike > 1
    assert "discrete Gaussian" in repr(preview) and "Nothing was spent." in preview._repr_html_()
    by_error = site["randhie"].preview(COINS, error="5%", group_size=5000)
    assert by_error.columns[1].expected_error <= 250
    assert by_error == site["randhie"].preview(COINS, error=0.05, group_size=5000)
    assert sum(spent().values()) == 0


def test_an_answer_is_verified_and_its_receipt_holds_for_whoever_knows_the_key(site, datasite):
    answer = site["randhie"].ask(COINS, epsilon=0.5)
    assert answer["coins"].tolist() == [0, 25, 50, 95, 100]
    assert (answer.lower("n") <= answer["n"]).all() and (answer["n"] <= answer.upper("n")).all()
    # 20,190 person-years; six standard deviations of the five counts' noise together are some 1,000.
    assert abs(answer["n"].sum() - 20_190) < 1_000
    assert answer.dataset == "randhie" and not answer.mock and answer.notes and answer.charge.kind == "zcdp"
    answer.receipt.verify(datasite.key)
    with pytest.raises(parley.InvalidReceipt):
        answer.receipt.verify(datasite.key, answer.document + b" ")
    assert answer.receipt.request == answer.request and answer.receipt.datasets == ("randhie",)
    again = site.answer(answer.request)
    assert again.document == answer.document and again.receipt.raw == answer.receipt.raw
    assert "±" in repr(answer) and "Charged ρ" in repr(answer) and "<details>" in answer._repr_html_()


def test_what_is_saved_is_verified_by_the_program_too(site, datasite, tmp_path):
    answer = site["randhie"].ask("SELECT COUNT(*) FROM randhie", epsilon=0.1)
    answer.receipt.save(tmp_path / "receipt.json", tmp_path / "answer.json")
    words = ("receipt", "verify", str(tmp_path / "receipt.json"), "--answer", str(tmp_path / "answer.json"), "--key", datasite.key)
    datasite.owner(*words)
    (tmp_path / "answer.json").write_bytes(answer.document + b" ")
    with pytest.raises(RuntimeError):
        datasite.owner(*words)


def test_every_option_of_a_question_is_taken_and_is_in_the_receipt(site):
    dataset = site["randhie"]
    options = {"groups_per_unit": 2, "rows_per_group": 1, "bounding_shares": False, "purpose": "a test: “Zürich”\n", "simultaneous": True}
    answer = dataset.ask(COINS, epsilon=0.2, **options)
    assert answer.bounding is None
    by_rho = dataset.ask("SELECT COUNT(*) FROM randhie", rho=0.001)
    assert by_rho.charge.rho == pytest.approx(0.001, rel=1e-6)
    by_error = dataset.ask("SELECT COUNT(*) FROM randhie", error=0.1, group_size=5000)
    assert by_error.cell(0, "COUNT(*)").upper - by_error.cell(0, "COUNT(*)").lower <= 1000
    assert [request.purpose for request in site.history()] == [None, None, options["purpose"]]


def test_refusals_say_why_and_what_to_do(site):
    dataset = site["randhie"]
    with pytest.raises(parley.OverBudget, match=r"the largest that fits: epsilon=\d") as over:
        dataset.ask(COINS, epsilon=50)
    assert over.value.left.largest < 3 and over.value.code == "over-budget" and over.value.status == 403
    with pytest.raises(parley.NotAllowed, match="at least"):
        dataset.ask(COINS, epsilon=0.001)
    with pytest.raises(parley.InvalidQuestion) as wrong:
        dataset.ask("SELECT COUNT(*)\nFROM randhie WHERE nothing = 3", epsilon=0.1)
    assert "  FROM randhie WHERE nothing = 3\n                     ^" in str(wrong.value)
    assert wrong.value.position == len("SELECT COUNT(*)\nFROM randhie WHERE ")
    with pytest.raises(parley.InvalidQuestion, match="rows cannot be selected"):
        dataset.ask("SELECT * FROM randhie", epsilon=0.1)
    with pytest.raises(parley.NotFound, match=r"site\.datasets names all"):
        site["nothing"].ask("SELECT COUNT(*) FROM nothing", epsilon=0.1)
    with pytest.raises(parley.NotFound):
        site.answer("nothing")
    with pytest.raises(parley.InvalidQuestion, match="within 1 to 5"):
        dataset.ask(COINS, epsilon=0.1, groups_per_unit=-1)
    with pytest.raises(parley.Refusal):
        dataset.ask(COINS, epsilon=0.1, idempotency_key="a b")


@pytest.mark.parametrize(
    "budget",
    [{}, {"epsilon": 0}, {"epsilon": -1}, {"epsilon": float("nan")}, {"epsilon": "much"},
     {"epsilon": 1, "rho": 1}, {"error": 0.1}, {"group_size": 5},
     {"error": "many", "group_size": 5}],
)  # fmt: skip
def test_a_budget_that_cannot_be_meant_is_refused_before_anything_is_sent(site, budget):
    with pytest.raises(parley.InvalidArgument):
        site["randhie"].ask(COINS, **budget)


def test_a_wrong_token_is_told_apart(datasite):
    unknown = "parley_" + "x" * 43
    with parley.connect(datasite.url, unknown) as site, pytest.raises(parley.Unauthenticated, match="token that the owner gave you"):
        _ = site.datasets
    with pytest.raises(parley.InvalidArgument, match="no token for") as missing:
        parley.connect(datasite.url)
    with pytest.raises(parley.InvalidArgument, match="starts with parley_") as wrong:
        parley.connect(datasite.url, "hunter2.token")
    assert "hunter2" not in str(wrong.value) + str(missing.value)
    with pytest.raises(parley.InvalidReceipt, match="pinned as"):
        parley.connect(datasite.url, "parley_x", key="A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg=")


def test_mock_rows_have_the_right_types_and_bounds_and_a_mock_answer_costs_nothing(site, spent):
    rows = site["votes"].mock(100)
    assert len(rows) == 100 and rows.keys == ["person", "ward", "day", "arrived", "minutes", "insured"]
    assert rows.to_pandas().equals(site["votes"].mock(100).to_pandas())
    assert rows["day"].dtype.kind == "M" and set(rows["ward"]) <= {"east", "o'neill", None}
    minutes = rows["minutes"]
    assert ((minutes[minutes == minutes] >= 0) & (minutes[minutes == minutes] <= 100)).all()
    _, counts = __import__("numpy").unique(rows["person"], return_counts=True)
    assert counts.max() <= 2
    # A public table has its own rows, and no more.
    assert 1 <= len(site["plans"].mock(100)) <= 18
    answer = site["randhie"].mock(COINS, epsilon=0.5)
    assert answer.mock and answer.cell(0, "n").flags == ("mock",) and "Mock answer" in repr(answer)
    with pytest.raises(parley.InvalidArgument, match="no receipt"):
        _ = answer.receipt
    with pytest.raises(parley.InvalidArgument):
        site["randhie"].mock(0)
    assert sum(spent().values()) == 0


def test_a_synthetic_table_has_its_receipt_and_mock_rows_come_from_it(datasite, site, spent):
    datasite.owner("data", "synthesize", "clinic", "--epsilon", "1")
    table = site["clinic"].synthetic()
    table.receipt.verify(datasite.key)
    assert table.receipt.engine == "synthetic-tables" and len(table) > 100
    assert site["clinic"].mock(7).to_pandas().equals(table.head(7).to_pandas())
    with pytest.raises(parley.NotFound):
        site["randhie"].synthetic()
    assert sum(spent().values()) == 0


def test_the_budget_says_what_is_left(site):
    before = next(report for report in site.budget() if "randhie" in report.datasets)
    site["randhie"].ask(COINS, epsilon=0.5)
    after = next(report for report in site.budget() if "randhie" in report.datasets)
    mine = [next(line for line in report.lines if line.scope.startswith("researcher")) for report in (before, after)]
    assert mine[0].remaining.rho - mine[1].remaining.rho == pytest.approx(mine[1].spent.rho, rel=1e-6)
    assert mine[0].questions_left > mine[1].questions_left and after.spending[0].requests == 1
    assert "all researchers" in repr(site.budget()) and "<table>" in site.budget()._repr_html_()


def test_history_is_in_pages(site):
    assert not site.history() and repr(site.history()) == "no RequestSummary"
    ids = [site["randhie"].ask(f"SELECT COUNT(*) AS n{number} FROM randhie", epsilon=0.1).request for number in range(3)]
    assert [request.id for request in site.history()] == ids[::-1]
    assert [request.id for request in site.history(limit=1)] == ids[2:]
    assert [request.id for request in site.history(before=ids[2], state="released")] == ids[1::-1]
    assert not site.history(state="denied") and ids[0] in repr(site.history())


def test_a_proof_comes_once_the_release_is_in_the_log(site):
    import time

    answer = site["randhie"].ask("SELECT COUNT(*) FROM randhie", epsilon=0.1)
    for _ in range(100):
        try:
            proof = site.proof(answer.request)
            break
        except parley.NotFound:
            time.sleep(0.1)
    assert proof.startswith(b"c2sp.org/tlog-proof@v1\n")


def test_histograms_and_dates_come_as_they_are(site):
    answer = site["votes"].mock("SELECT HISTOGRAM(minutes, 0, 50, 100) AS h FROM votes")
    assert [column.bin.lower for column in answer.columns] == [0, 50]
    dates = site["votes"].mock("SELECT insured, MAX(day) AS last, MEDIAN(arrived) AS usual FROM votes GROUP BY insured")
    assert dates["last"].dtype == "datetime64[D]" and dates["usual"].dtype == "datetime64[s]"
    assert (dates.lower("last") <= dates.upper("last")).all() and "2020-" in repr(dates)


def test_the_awaited_client_has_every_method_of_the_waiting_one_with_the_same_parameters():
    def methods(kind):
        found = {}
        for name, member in vars(kind).items():
            function = member.fget if isinstance(member, property) else member
            if inspect.isfunction(function) and not name.startswith("_"):
                found[name] = list(inspect.signature(function).parameters)
        return found

    assert methods(parley.AsyncSite) == methods(parley.Site)
    assert methods(parley.AsyncDataset) == methods(parley.Dataset)
    events = {"events": ["self", "after"]}
    assert methods(parley.AsyncJob) == methods(parley.Job) | events


def test_an_awaited_site_gives_the_same_answers(datasite, token, site):
    import asyncio

    async def ask():
        async with await parley.connect_async(datasite.url, token, key=datasite.key) as other:
            names = (await other.datasets()).names
            dataset = other["randhie"]
            questions = [f"SELECT COUNT(*) AS n{number} FROM randhie" for number in range(3)]
            answers = await asyncio.gather(*(dataset.ask(question, epsilon=0.1) for question in questions))
            return names, answers, await dataset.columns(), await other.budget(), await dataset.mock(3), repr(other)

    names, answers, columns, budget, rows, shown = asyncio.run(ask())
    assert names == site.datasets.names and len(columns) == 45 and len(rows) == 3 and "AsyncSite 'Test site'" in shown
    for number, answer in enumerate(answers):
        same = site["randhie"].ask(f"SELECT COUNT(*) AS n{number} FROM randhie", epsilon=0.1)
        assert same.document == answer.document
    assert budget == site.budget()
