"""The notebooks run from their first cell to their last, each in a process of its own against a datasite of its own."""

import json
import os
import subprocess
import sys

import pytest
from datasites import REPOSITORY, Datasite

NOTEBOOKS = REPOSITORY / "clients" / "python" / "notebooks"
ADULT = REPOSITORY.parent / "shared" / "data" / "adult" / "adult.csv.gz"
# As Jupyter does: cells of one namespace, in which one may await, and the last expression of a cell is shown.
RUNNER = """
import ast, asyncio, inspect, json, sys
space = {"__name__": "__main__"}
for number, cell in enumerate(json.load(open(sys.argv[1]))["cells"]):
    if cell["cell_type"] != "code":
        continue
    tree = ast.parse("".join(cell["source"]))
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    for part, mode in ((tree, "exec"), (last and ast.Expression(last.value), "eval")):
        if part is None:
            continue
        value = eval(compile(part, f"cell {number}", mode, flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT), space)
        value = asyncio.run(value) if inspect.iscoroutine(value) else value
        if mode == "eval" and value is not None:
            show = getattr(value, "_repr_html_", None)
            print(repr(value), len(show()) if show else "")
"""


def run(name, site, tmp_path):
    path = NOTEBOOKS / name
    cells = json.loads(path.read_text())["cells"]
    # Outputs would be of one run, and be stale in the next.
    assert all(not cell["outputs"] and cell["execution_count"] is None for cell in cells if cell["cell_type"] == "code")
    token = site.user(f"reader-of-{name.split('.')[0]}")
    environment = os.environ | {"PARLEY_URL": site.url, "PARLEY_TOKEN": token, "MPLBACKEND": "Agg"}
    command = [sys.executable, "-c", RUNNER, str(path)]
    for _ in range(2):
        done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=180, check=False)
        assert done.returncode == 0, done.stderr[-4000:]
    import parley

    with parley.connect(site.url, token) as connection:
        # Run twice, each question was paid once.
        return done.stdout, connection.history()


def test_the_health_economist(datasite, tmp_path):
    pytest.importorskip("pandas")
    pytest.importorskip("matplotlib")
    said, history = run("health-economist.ipynb", datasite, tmp_path)
    assert "more often" in said and "the largest that fits: epsilon=" in said
    assert len(history) == 2 and {request.state for request in history} == {"released"}
    assert (tmp_path / "receipt.json").exists() and (tmp_path / "answer.json").exists()


def test_the_statistics_office(program, tmp_path):
    pytest.importorskip("pandas")
    pytest.importorskip("matplotlib")
    if not ADULT.exists():
        pytest.skip(f"the survey is not there: {ADULT}")
    site = Datasite(tmp_path / "office", program)
    site.add(ADULT, NOTEBOOKS / "adult.yaml")
    site.start()
    try:
        said, history = run("statistics-office.ipynb", site, tmp_path)
    finally:
        site.stop()
    assert "cells are precise enough" in said and said.count(" holds") == 4
    assert len(history) == 4 and len(list((tmp_path / "archive").iterdir())) == 8
