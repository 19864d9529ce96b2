#!/usr/bin/env python3
"""Files of other programs, written by those programs' own libraries, through the whole way: drafted, added, asked. Prints
one JSON line a format, and ends with 1 where an answer differs from pandas.

    files.py --parley PATH [--folder FOLDER]
"""

import argparse
import json
import os
import pathlib
import re
import socket
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
here = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(here))
from environment import Environments

PEER = "statistics_files"
CONVERTER = here.parent.parent / "scripts" / "statistics-files"

# Runs in the peer's environment: writes the same rows in each format.
WRITER = """
import datetime, sys
import pandas, pyreadstat
folder = sys.argv[1]
rows = 500
frame = pandas.DataFrame({
    "id": [float(i) for i in range(rows)],
    "sex": [float([1, 2, 9][i % 3]) for i in range(rows)],
    "income": [-9.0 if i % 10 == 0 else i * 10 + 0.5 for i in range(rows)],
    "town": [["Zurich", "Bern", ""][i % 3] for i in range(rows)],
    "day": [datetime.date(2020, 1, 1) + datetime.timedelta(days=i % 400) for i in range(rows)],
})
labels = {"sex": {1: "male", 2: "female", 9: "refused"}}
names = ["Number", "Sex", "Income", "Town", "Day"]
pyreadstat.write_sav(frame, folder + "/spss.sav", column_labels=names, variable_value_labels=labels,
    missing_ranges={"sex": [9], "income": [{"lo": -9, "hi": -9}]}, variable_format={"id": "F8.0", "sex": "F1.0"})
pyreadstat.write_dta(frame, folder + "/stata.dta", column_labels=names, variable_value_labels=labels)
pyreadstat.write_xport(frame, folder + "/sas.xpt", column_labels=names)
frame.to_csv(folder + "/pandas.csv")
frame.to_json(folder + "/lines.ndjson", orient="records", lines=True, date_format="iso")
frame.to_parquet(folder + "/arrow.parquet")
"""

# What must come out: rows; of sex 1; the sum of income where it is known; days of 2020.
QUESTIONS = {
    "SELECT COUNT(*) FROM t": 500,
    "SELECT COUNT(*) FROM t WHERE sex = 1": 167,
    "SELECT SUM(CLAMP(income, 0, 5000)) FROM t": sum(i * 10 + 0.5 for i in range(500) if i % 10),
    "SELECT COUNT(*) FROM t WHERE day < '2021-01-01'": sum(1 for i in range(500) if i % 400 < 366),
    "SELECT COUNT(*) FROM t WHERE town = 'Bern'": 167,
}


def complete(draft):
    """The draft with its open places filled: each row a unit, and budget for exact answers."""
    draft = re.sub(r"unit: \{.*\}", "unit: row", draft)
    draft = re.sub(r"capacity: \{.*\}", "capacity: {rows: 1000, units: 1000}", draft)
    draft = re.sub(r"^name: .*$", "name: t", draft, flags=re.M)
    draft = re.sub(r"\n *per-researcher: .*", "", draft)
    draft = draft.replace("epsilon: SET", "epsilon: 1000000").replace("population: SET", "population: people")
    lines = [line for line in draft.split("\n") if "[SET" not in line]
    return "\n".join(lines).replace(": SET", ": words")


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--parley", required=True)
    arguments.add_argument("--folder")
    chosen = arguments.parse_args()
    wrong = 0
    with Environments(chosen.folder) as environments, tempfile.TemporaryDirectory() as folder:
        python = environments.python(PEER)
        subprocess.run([python, "-W", "ignore", "-c", WRITER, folder], check=True)
        for name in ["pandas.csv", "lines.ndjson", "arrow.parquet", "spss.sav", "stata.dta", "sas.xpt"]:
            wrong += not round_trip(chosen.parley, python, pathlib.Path(folder), name)
    sys.exit(1 if wrong else 0)


def round_trip(parley, python, folder, name):
    path = folder / name
    if path.suffix in (".sav", ".dta", ".xpt"):
        subprocess.run([python, "-W", "ignore", str(CONVERTER), str(path)], check=True, stderr=subprocess.DEVNULL)
        path, draft = path.with_suffix(".csv"), path.with_suffix(".yaml").read_text()
    else:
        draft = subprocess.run([parley, "data", "describe", str(path), "--missing=-9"], check=True, capture_output=True, text=True).stdout
    if "missing" not in draft:
        # Neither Stata's nor SAS's file says that -9 is no income.
        draft = draft.replace("columns:", "missing: [-9]\ncolumns:", 1)
    manifest = folder / (name + ".yaml")
    manifest.write_text(complete(draft))
    site = folder / (name + ".site")
    environment = {**os.environ, "PARLEY_SITE": str(site)}
    run = lambda *words: subprocess.run([parley, *words], capture_output=True, text=True, env=environment)
    for command in [["site", "init", str(site)], ["data", "add", str(path), "--manifest", str(manifest), "--yes"]]:
        done = run(*command)
        if done.returncode != 0:
            print(json.dumps({"bench": "files", "format": name, "error": done.stderr.strip()}))
            return False
    token = run("user", "add", "ada", "--role", "researcher").stdout.split()[-1]
    port = str(free_port())
    environment.update(PARLEY_TOKEN=token, PARLEY_URL=f"http://127.0.0.1:{port}")
    server = subprocess.Popen(
        [parley, "serve", "--site", str(site), "--port", port], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait(int(port))
        answers = ask_all(run)
    finally:
        server.terminate()
        server.wait()
    right = all(
        isinstance(value, (int, float)) and abs(value - truth) <= 1e-3 * max(1, abs(truth))
        for value, truth in answers.values())
    line = {"bench": "files", "format": name, "questions": len(answers), "right": right}
    if not right:
        line["answers"] = {sql: list(pair) for sql, pair in answers.items()}
    print(json.dumps(line), flush=True)
    return right


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def wait(port):
    for _ in range(100):
        try:
            return socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.1)


def ask_all(run):
    answers = {}
    for sql, truth in QUESTIONS.items():
        done = run("ask", "t", sql, "--epsilon", "10000", "--format", "json")
        try:
            value = json.loads(done.stdout)["rows"][0][0]["value"]
        except (ValueError, KeyError, IndexError, TypeError):
            value = done.stderr.strip() or done.stdout[:200]
        answers[sql] = (value, truth)
    return answers


if __name__ == "__main__":
    main()
