"""The documentation's examples print what it says, up to the noise."""

import doctest
import importlib
import pkgutil
import re

import pytest
from datasites import EXAMPLE, REPOSITORY, Datasite

import parley

PAGES = ["clients/python/README.md", "docs/guide/python.md"]


class NoiseAside(doctest.OutputChecker):
    """Takes two outputs for the same where they differ in numbers, ids, times, marks and widths alone."""

    _PATTERNS = (
        (r"\b[0-9a-f]{32}\b", "ID"),
        (r"\d{4}-\d\d-\d\dT[\d:]+Z", "TIME"),
        (r"http://127\.0\.0\.1:\d+", "URL"),
        (r"-?\d+(,\d{3})*(\.\d*)?(e[-+]?\d+)?", "#"),
        (r"\s+(?=[,\])])", ""),
        (r"#[|*^~]+", "#"),
        (r"± #|# to #|unbounded", "INTERVAL"),
        (r"[─\s]+", " "),
    )

    def check_output(self, want, got, optionflags):
        return self.plain(want) == self.plain(got)

    def plain(self, text):
        for pattern, instead in self._PATTERNS:
            text = re.sub(pattern, instead, text.replace("<BLANKLINE>", ""))
        return text.strip()


@pytest.fixture(scope="module")
def institute(program, tmp_path_factory):
    """The demonstration's datasite, as the README makes it."""
    site = Datasite(tmp_path_factory.mktemp("institute"), program, name="My institute")
    site.add(EXAMPLE / "randhie.csv.gz", EXAMPLE / "manifest.yaml")
    site.add(EXAMPLE / "plans.csv", EXAMPLE / "plans.yaml")
    site.start()
    yield site
    site.stop()


@pytest.mark.parametrize("page", PAGES)
def test_a_page_prints_what_it_says(page, institute, monkeypatch, tmp_path):
    for package in ("pandas", "sqlalchemy"):
        pytest.importorskip(package)
    name = "ana" if "guide" in page else "bea"
    with parley.login(institute.url, institute.user(name)):
        pass
    monkeypatch.chdir(tmp_path)
    text = (REPOSITORY / page).read_text()
    session = "\n".join(re.findall(r"```pycon\n(.*?)```", text, re.DOTALL))
    test = doctest.DocTestParser().get_doctest(session, {}, page, page, 0)
    assert len(test.examples) > 8
    said = []
    runner = doctest.DocTestRunner(checker=NoiseAside(), verbose=False)
    assert runner.run(test, out=said.append).failed == 0, "".join(said)


def test_the_checker_sees_what_is_wrong():
    checker = NoiseAside()
    assert checker.check_output("0  10,851  ± 127  0.8*\n", "0   9  8 to 10   12.5\n", 0)
    assert not checker.check_output("coins  n\n", "coins  m\n", 0) and not checker.check_output("True\n", "False\n", 0)


def test_the_examples_in_doc_comments_hold():
    found = 0
    for module in pkgutil.iter_modules(parley.__path__):
        if module.name == "sqlalchemy":
            continue
        result = doctest.testmod(importlib.import_module(f"parley.{module.name}"))
        assert result.failed == 0
        found += result.attempted
    assert found >= 8


def test_every_python_block_of_the_guide_is_python():
    import ast

    blocks = re.findall(r"```python\n(.*?)```", (REPOSITORY / PAGES[1]).read_text(), re.DOTALL)
    for block in blocks:
        compile(block, "guide", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    assert len(blocks) >= 3
