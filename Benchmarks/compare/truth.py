#!/usr/bin/env python3
"""Do answers tell the truth? Sixty questions at epsilon 1 to four survey tables and a table of ratings, each asked many times,
beside what DuckDB finds in the whole table: not in what bounding left of it. One JSON line a question (noise, bias, coverage,
flags), then a line over all cells, and one over questions, in which one with six hundred groups counts as much as one with two.

    truth.py --parley PATH [--folder FOLDER] [--data FOLDER] [--runs N] [--cells] [--only TABLE ...]

A cell is an estimate with an interval, in one of the runs. `noise` is the median over the cells of a question of the standard
deviation over the runs; `bias` that of |mean - truth|; both relative to the median half-width of their intervals. `coverage` is how often
intervals hold the table's value, `unflagged_coverage` that of cells without a flag. --cells prints each cell's own line too.
"""

import argparse
import collections
import csv
import gzip
import json
import math
import os
import pathlib
import random
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

sys.dont_write_bytecode = True
here = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(here))
from environment import Environments

PEER = "duckdb"
EPSILON = 1


class Question:
    """A question, what DuckDB is asked for the same (where that is another text), and hints."""

    def __init__(self, sql, truth=None, **hints):
        self.sql, self.truth, self.hints = sql, truth or sql, hints


Q = Question


def domain(values):
    return "[" + ", ".join(json.dumps(value) for value in values) + "]"


# MARK: tables


def column(name, kind, extra=""):
    return f"  - {{name: {name}, type: {kind}{', ' + extra if extra else ''}, description: words}}"


def manifest(name, unit, rows, units, columns, weight=None):
    return "\n".join(
        [f"name: {name}", f"title: {name}", "description: words", f"population: {name}", f"unit: {unit}",
         f"capacity: {{rows: {rows}, units: {units}}}"]
        + ([f"weight: {weight}"] if weight else [])
        + ["policy: {loss: zcdp, delta: 1e-6, total: {epsilon: 100000}, least-share: 0}", "columns:"] + columns) + "\n"


def write(path, header, rows):
    with open(path, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)


def read(path):
    with gzip.open(path, "rt", newline="") as file:
        return list(csv.reader(file))


def values(rows, index):
    return sorted({row[index] for row in rows} - {""})


def survey(folder, source, name, unit, capacity, kept, weight=None):
    """Takes the columns `kept` ({name in the file: (name here, type, what its dictionary says)}) of a file; a dictionary lists
    the values of categories, so the domain is read here."""
    first, *rows = source
    places = {title: index for index, title in enumerate(first)}
    columns = []
    for title, (here_named, kind, extra) in kept.items():
        if kind == "category":
            extra = "domain: " + domain(values(rows, places[title])) + (", " + extra if extra else "")
        columns.append(column(here_named, kind, extra))
    write(folder / f"{name}.csv", [named for named, _, _ in kept.values()],
          [[row[places[title]] for title in kept] for row in rows])
    (folder / f"{name}.yaml").write_text(manifest(name, unit, *capacity, columns, weight))


def yrbss(folder, data):
    survey(folder, read(data / "surveys" / "yrbss.csv.gz"), "yrbss", "row", (20_000, 20_000), {
        "age": ("age", "integer", "bounds: [12, 18]"), "gender": ("gender", "category", ""),
        "grade": ("grade", "category", ""), "race": ("race", "category", ""),
        "height": ("height", "real", "bounds: [1.2, 2.2], resolution: 0.01"),
        "weight": ("weight", "real", "bounds: [25, 185], resolution: 0.1"), "helmet_12m": ("helmet", "category", ""),
        "text_while_driving_30d": ("texting", "category", ""),
        "physically_active_7d": ("active", "integer", "bounds: [0, 7]"),
        "strength_training_7d": ("strength", "integer", "bounds: [0, 7]"),
        "school_night_hours_sleep": ("sleep", "category", ""),
    })
    return [
        Q("SELECT COUNT(*) FROM yrbss"),
        Q("SELECT gender, COUNT(*) FROM yrbss GROUP BY gender"),
        Q("SELECT grade, gender, COUNT(*) AS n, AVG(height) AS height FROM yrbss GROUP BY grade, gender"),
        Q("SELECT race, AVG(active) FROM yrbss WHERE race IS NOT NULL GROUP BY race"),
        Q("SELECT AVG(weight / (height * height)) FROM yrbss"),
        Q("SELECT age, COUNT(*) FROM yrbss GROUP BY age"),
        Q("SELECT texting, COUNT(*) AS n FROM yrbss GROUP BY texting ORDER BY n DESC LIMIT 3",
          "SELECT texting, COUNT(*) AS n FROM yrbss GROUP BY texting"),
        Q("SELECT helmet, AVG(texting = '30') AS always FROM yrbss WHERE helmet IS NOT NULL GROUP BY helmet",
          "SELECT helmet, AVG((texting = '30')::INT) AS always FROM yrbss WHERE helmet IS NOT NULL GROUP BY helmet"),
        Q("SELECT MEDIAN(weight), QUANTILE(weight, 0.9) FROM yrbss",
          "SELECT QUANTILE_DISC(weight, 0.5), QUANTILE_DISC(weight, 0.9) FROM yrbss"),
        Q("SELECT gender, STDDEV(height), VARIANCE(weight) FROM yrbss WHERE gender IS NOT NULL GROUP BY gender",
          "SELECT gender, STDDEV_POP(height), VAR_POP(weight) FROM yrbss WHERE gender IS NOT NULL GROUP BY gender"),
        Q("SELECT sleep, AVG(strength), COUNT(strength) FROM yrbss GROUP BY sleep"),
        Q("SELECT grade, AVG(active) AS a FROM yrbss GROUP BY grade HAVING a > 3.9",
          "SELECT grade, AVG(active) AS a FROM yrbss GROUP BY grade"),
    ]


def adult(folder, data):
    survey(folder, read(data / "adult" / "adult.csv.gz"), "adult", "row", (50_000, 50_000), {
        "age": ("age", "integer", "bounds: [17, 90]"), "workclass": ("workclass", "category", ""),
        "fnlwgt": ("fnlwgt", "real", "bounds: [10000, 1500000]"), "education": ("education", "category", ""),
        "educational-num": ("schooling", "integer", "bounds: [1, 16]"), "occupation": ("occupation", "category", ""),
        "race": ("race", "category", ""), "gender": ("gender", "category", ""),
        "capital-gain": ("gain", "integer", "bounds: [0, 99999]"),
        "hours-per-week": ("hours", "integer", "bounds: [1, 99]"), "native-country": ("country", "text", ""),
        "income": ("income", "category", ""),
    }, weight="fnlwgt")
    weighted = lambda words: f"SUM(fnlwgt * ({words})) / SUM(fnlwgt)"
    return [
        Q("SELECT income, COUNT(*) FROM adult GROUP BY income"),
        Q("SELECT gender, AVG(income = '>50K') AS rich FROM adult GROUP BY gender",
          "SELECT gender, AVG((income = '>50K')::INT) AS rich FROM adult GROUP BY gender"),
        Q("SELECT education, AVG(hours), COUNT(*) FROM adult GROUP BY education"),
        Q("SELECT AVG(gain), SUM(gain) FROM adult"),
        Q("SELECT AVG(hours) WEIGHTED FROM adult", f"SELECT {weighted('hours')} FROM adult"),
        Q("SELECT gender, COUNT(*) WEIGHTED FROM adult GROUP BY gender",
          "SELECT gender, SUM(fnlwgt) FROM adult GROUP BY gender"),
        Q("SELECT AVG(income = '>50K') WEIGHTED FROM adult", f"SELECT {weighted(chr(40) + 'income = ' + repr('>50K') + ')::INT')} FROM adult"),
        Q("SELECT country, COUNT(*) AS n FROM adult GROUP BY country"),
        Q("SELECT occupation, AVG(hours) AS h FROM adult GROUP BY occupation ORDER BY h DESC LIMIT 4",
          "SELECT occupation, AVG(hours) AS h FROM adult GROUP BY occupation"),
        Q("SELECT BIN(age, 10) AS decade, AVG(schooling) FROM adult WHERE age BETWEEN 20 AND 69 GROUP BY decade",
          "SELECT age // 10 * 10 AS decade, AVG(schooling) FROM adult WHERE age BETWEEN 20 AND 69 GROUP BY decade"),
        Q("SELECT race, MEDIAN(hours) FROM adult GROUP BY race",
          "SELECT race, QUANTILE_DISC(hours, 0.5) FROM adult GROUP BY race"),
        Q("SELECT workclass, STDDEV(age) FROM adult GROUP BY workclass",
          "SELECT workclass, STDDEV_POP(age) FROM adult GROUP BY workclass"),
    ]


def census(folder, data):
    titles = (data / "census-kdd" / "columns.txt").read_text().split()
    rows = read(data / "census-kdd" / "census_income_1994_1995_train.csv.gz")
    source = [titles] + [[cell.strip() for cell in row] for row in rows]
    survey(folder, source, "census", "row", (200_000, 200_000), {
        "age": ("age", "integer", "bounds: [0, 90]"), "education": ("education", "category", ""),
        "wage_per_hour": ("wage", "integer", "bounds: [0, 9999]"), "marital_stat": ("marital", "category", ""),
        "major_industry_code": ("industry", "category", ""), "race": ("race", "category", ""),
        "sex": ("sex", "category", ""), "capital_gains": ("gains", "integer", "bounds: [0, 99999]"),
        "instance_weight": ("w", "real", "bounds: [30, 20000]"), "country_of_birth_self": ("born", "text", ""),
        "weeks_worked_in_year": ("weeks", "integer", "bounds: [0, 52]"), "year": ("year", "category", ""),
        "income": ("income", "category", ""),
    }, weight="w")
    return [
        Q("SELECT COUNT(*) WEIGHTED FROM census", "SELECT SUM(w) FROM census"),
        Q("SELECT AVG(weeks) WEIGHTED FROM census", "SELECT SUM(w * weeks) / SUM(w) FROM census"),
        Q("SELECT sex, AVG(weeks) WEIGHTED AS weeks FROM census WHERE age >= 16 GROUP BY sex",
          "SELECT sex, SUM(w * weeks) / SUM(w) AS weeks FROM census WHERE age >= 16 GROUP BY sex"),
        Q("SELECT education, COUNT(*), AVG(wage) FROM census WHERE wage > 0 GROUP BY education"),
        Q("SELECT race, sex, COUNT(*) FROM census GROUP BY race, sex"),
        Q("SELECT industry, COUNT(*) AS n FROM census GROUP BY industry HAVING n > 3000",
          "SELECT industry, COUNT(*) AS n FROM census GROUP BY industry"),
        Q("SELECT born, COUNT(*) AS n FROM census GROUP BY born"),
        Q("SELECT born, AVG(age) FROM census GROUP BY born"),
        Q("SELECT MEDIAN(age), QUANTILE(wage, 0.95) FROM census WHERE wage > 0",
          "SELECT QUANTILE_DISC(age, 0.5), QUANTILE_DISC(wage, 0.95) FROM census WHERE wage > 0"),
        Q("SELECT VARIANCE(weeks), STDDEV(age) FROM census", "SELECT VAR_POP(weeks), STDDEV_POP(age) FROM census"),
        Q("SELECT marital, AVG(income = '50000+.') AS rich FROM census GROUP BY marital ORDER BY rich DESC LIMIT 2",
          "SELECT marital, AVG((income = '50000+.')::INT) AS rich FROM census GROUP BY marital"),
        Q("SELECT year, SUM(gains), COUNT(*) FROM census GROUP BY year"),
    ]


def randhie(folder, data):
    source = read(data / "surveys" / "randhie.csv.gz")
    survey(folder, source, "randhie", "{column: zper, rows: 5, groups: 5}", (25_000, 6_500), {
        "zper": ("zper", "integer", "nullable: false"), "plan": ("plan", "category", ""),
        "site": ("site", "category", ""), "coins": ("coins", "category", ""),
        "year": ("year", "integer", "bounds: [1, 5], nullable: false"),
        "xage": ("xage", "real", "bounds: [0, 65], resolution: 0.1"), "female": ("female", "category", ""),
        "meddol": ("meddol", "real", "bounds: [0, 40000], resolution: 1"),
        "mdvis": ("mdvis", "integer", "bounds: [0, 80]"), "income": ("income", "real", "bounds: [0, 30000]"),
    })
    return [
        Q("SELECT COUNT(DISTINCT zper), COUNT(*) FROM randhie"),
        Q("SELECT coins, AVG(mdvis) FROM randhie GROUP BY coins"),
        Q("SELECT coins, AVG(LEAST(meddol, 2000)), COUNT(*) FROM randhie GROUP BY coins"),
        Q("SELECT year, COUNT(*) FROM randhie GROUP BY year"),
        Q("SELECT year, COUNT(*) FROM randhie GROUP BY year", groupsPerUnit=2),
        Q("SELECT site, COUNT(DISTINCT zper) FROM randhie GROUP BY site"),
        Q("SELECT year, COUNT(DISTINCT zper) FROM randhie GROUP BY year", groupsPerUnit=1),
        Q("SELECT female, AVG(mdvis), STDDEV(mdvis) FROM randhie GROUP BY female",
          "SELECT female, AVG(mdvis), STDDEV_POP(mdvis) FROM randhie GROUP BY female"),
        Q("SELECT AVG(meddol), SUM(LEAST(meddol, 5000)) FROM randhie"),
        Q("SELECT plan, AVG(mdvis) AS v FROM randhie GROUP BY plan ORDER BY v DESC LIMIT 5",
          "SELECT plan, AVG(mdvis) AS v FROM randhie GROUP BY plan"),
        Q("SELECT BIN(xage, 10) AS decade, COUNT(*), AVG(mdvis) FROM randhie WHERE xage < 60 GROUP BY decade",
          "SELECT FLOOR(xage / 10) * 10 AS decade, COUNT(*), AVG(mdvis) FROM randhie WHERE xage < 60 GROUP BY decade",
          rowsPerGroup=3),
        Q("SELECT female, COUNT(*) FROM randhie GROUP BY female", rowsPerGroup=2),
    ]


def ratings(folder, data):
    """Eight thousand people, of whom a few rate very much, and six hundred films, of which a few are rated very often."""
    random.seed(11)
    films = 600
    popular = [1 / (rank + 3) ** 0.9 for rank in range(films)]
    quality = [random.gauss(3.4, 0.5) for _ in range(films)]
    rows = []
    for person in range(8_000):
        wanted = min(450, max(1, int(random.lognormvariate(3, 1.1))))
        for film in sorted(set(random.choices(range(films), popular, k=wanted))):
            stars = min(5, max(1, round(2 * random.gauss(quality[film], 0.9)) / 2))
            rows.append([person, film, stars, 1998 + (film * 7 + person % 3) % 12])
    write(folder / "ratings.csv", ["person", "film", "stars", "year"], rows)
    (folder / "ratings.yaml").write_text(manifest(
        "ratings", "{column: person, rows: 200, groups: 30}", 400_000, 10_000, [
            column("person", "integer", "nullable: false"),
            column("film", "integer", f"bounds: [0, {films - 1}], nullable: false"),
            column("stars", "real", "bounds: [1, 5], resolution: 0.5, nullable: false"),
            column("year", "integer", "bounds: [1998, 2009], nullable: false")]))
    by_film = "SELECT film, COUNT(*) AS n FROM ratings GROUP BY film"
    return [
        Q("SELECT COUNT(*), COUNT(DISTINCT person) FROM ratings"),
        Q("SELECT AVG(stars) FROM ratings"),
        Q(by_film),
        Q(by_film + " ORDER BY n DESC LIMIT 10", by_film),
        Q("SELECT film, AVG(stars) AS s, COUNT(*) AS n FROM ratings WHERE film < 20 GROUP BY film"),
        Q("SELECT film, COUNT(DISTINCT person) FROM ratings WHERE film < 50 GROUP BY film"),
        Q("SELECT year, COUNT(*) FROM ratings GROUP BY year"),
        Q("SELECT year, COUNT(*) FROM ratings GROUP BY year", groupsPerUnit=3),
        Q("SELECT stars, COUNT(*) FROM ratings GROUP BY stars"),
        Q("SELECT year, COUNT(*) AS n, AVG(stars) AS s FROM ratings WHERE year >= 2004 GROUP BY year"),
        Q("SELECT film, COUNT(*) AS n FROM ratings GROUP BY film HAVING n > 1500", by_film),
        Q("SELECT BIN(film, 100) AS shelf, STDDEV(stars), AVG(stars) FROM ratings GROUP BY shelf",
          "SELECT film // 100 * 100 AS shelf, STDDEV_POP(stars), AVG(stars) FROM ratings GROUP BY shelf"),
    ]


TABLES = {"yrbss": yrbss, "adult": adult, "census": census, "randhie": randhie, "ratings": ratings}

# MARK: truth

# Runs in the peer's environment: one JSON list of rows a question.
TRUTH = """
import json, sys, duckdb
table, file = sys.argv[1], sys.argv[2]
connection = duckdb.connect(config={"threads": 1})
connection.execute(f"CREATE TABLE {table} AS SELECT * FROM read_csv('{file}', all_varchar=false, sample_size=-1, types={sys.argv[3]})")
for sql in json.load(sys.stdin):
    print(json.dumps([list(row) for row in connection.execute(sql).fetchall()], default=str))
"""


def truths(python, folder, table, questions):
    # Categories are texts: '30' is one of texting's values, and 1 one of plan's.
    kinds = {}
    for line in (folder / f"{table}.yaml").read_text().splitlines():
        if "type: category" in line or "type: text" in line:
            kinds[line.split("name: ")[1].split(",")[0]] = "VARCHAR"
    done = subprocess.run(
        [python, "-c", TRUTH, table, str(folder / f"{table}.csv"), str(kinds)], check=True, text=True,
        input=json.dumps([question.truth for question in questions]), stdout=subprocess.PIPE)
    return [json.loads(line) for line in done.stdout.splitlines()]


# MARK: the datasite


class Site:
    def __init__(self, parley, folder, tables):
        self.parley, self.folder = parley, folder
        self.environment = {**os.environ, "PARLEY_SITE": str(folder / "site")}
        self.run("site", "init", str(folder / "site"))
        for table in tables:
            self.run(
                "data", "add", str(folder / f"{table}.csv"), "--manifest", str(folder / f"{table}.yaml"), "--yes")
        self.token = self.run("user", "add", "ada", "--role", "researcher").split()[-1]
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            self.port = listener.getsockname()[1]

    def run(self, *words):
        done = subprocess.run([self.parley, *words], capture_output=True, text=True, env=self.environment)
        if done.returncode != 0:
            sys.exit(f"parley {' '.join(words)}: {done.stderr.strip()}")
        return done.stdout

    def __enter__(self):
        self.server = subprocess.Popen(
            [self.parley, "serve", "--site", str(self.folder / "site"), "--port", str(self.port)],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(100):
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                break
            except OSError:
                time.sleep(0.1)
        return self

    def __exit__(self, *_):
        self.server.terminate()
        self.server.wait()

    def ask(self, table, question, number):
        body = {"dataset": table, "sql": question.sql, "epsilon": EPSILON, **question.hints}
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/v1/ask", json.dumps(body).encode(),
            {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json",
             "Idempotency-Key": f"{table}-{number}-{random.randrange(1 << 62)}"})
        try:
            with urllib.request.urlopen(request, timeout=120) as response:
                return json.load(response)
        except urllib.error.HTTPError as error:
            sys.exit(f"{question.sql}\n{error.read().decode()}")


# MARK: figures


def number(value):
    if value in ("Infinity", "-Infinity"):
        return math.inf if value == "Infinity" else -math.inf
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def text(key):
    """Keys alike, whichever program wrote them: 30, 30.0 and "30" are one."""
    if key is None:
        return None
    try:
        return float(key)
    except (TypeError, ValueError):
        return str(key)


class Cells:
    """What the runs gave, by column and key: values, whether the interval held the truth, half-width, flags."""

    def __init__(self):
        self.found = collections.defaultdict(list)

    def take(self, answer, truth):
        keys = [index for index, column in enumerate(answer["columns"]) if column["isKey"]]
        known = {tuple(text(row[index]) for index in keys): row for row in truth}
        for row in answer["rows"]:
            key = tuple(text(row[index]["value"]) for index in keys)
            true = known.get(key)
            for index, cell in enumerate(row):
                if index in keys or cell.get("lower") is None:
                    continue
                exact = number(true[index]) if true else (0.0 if answer["columns"][index]["type"] == "integer" else None)
                value, lower, upper = (number(cell.get(name)) for name in ("value", "lower", "upper"))
                if exact is None or value is None:
                    continue
                slack = 1e-9 * max(1, abs(exact))
                self.found[index, key].append(
                    (value, lower - slack <= exact <= upper + slack, (upper - lower) / 2, exact, tuple(cell.get("flags", []))))

    def lines(self):
        for (index, key), cells in sorted(self.found.items(), key=str):
            values = [cell[0] for cell in cells]
            yield {"column": index, "key": list(key), "shown": len(cells), "truth": cells[0][3],
                   "noise": statistics.pstdev(values), "bias": statistics.fmean(values) - cells[0][3],
                   "half_width": statistics.median(cell[2] for cell in cells),
                   "coverage": statistics.fmean(cell[1] for cell in cells),
                   "flagged": statistics.fmean(bool(cell[4]) for cell in cells)}

    def all(self):
        return [cell for cells in self.found.values() for cell in cells]


def share(part, whole):
    return round(len(part) / len(whole), 4) if whole else None


def summary(cells):
    unflagged = [cell for cell in cells if not cell[4]]
    covering = [cell for cell in cells if cell[1]]
    return {
        "cells": len(cells), "coverage": share(covering, cells), "unflagged": share(unflagged, cells),
        "unflagged_coverage": share([cell for cell in unflagged if cell[1]], unflagged),
        "flagged_of_covering": share([cell for cell in covering if cell[4]], covering),
        "flagged_of_missing": share(
            [cell for cell in cells if cell[4] and not cell[1]], [cell for cell in cells if not cell[1]])}


def mean(figures, name):
    known = [figure[name] for figure in figures if figure[name] is not None]
    return round(statistics.fmean(known), 4) if known else None


def relative(lines, name):
    ratios = [abs(line[name]) / line["half_width"] for line in lines if 0 < line["half_width"] < math.inf]
    return round(statistics.median(ratios), 3) if ratios else None


def main():
    arguments = argparse.ArgumentParser(description="Do answers tell the table's truth?")
    arguments.add_argument("--parley", required=True, help="the parley executable, built for release")
    arguments.add_argument("--folder", help="where environments are kept; a temporary folder otherwise")
    arguments.add_argument("--data", default=str(here.parent.parent.parent / "shared" / "data"), help="the survey tables")
    arguments.add_argument("--runs", type=int, default=20, help="how often each question is asked")
    arguments.add_argument("--cells", action="store_true", help="a line for each cell too")
    arguments.add_argument("--only", nargs="*", choices=list(TABLES), help="the tables; all otherwise")
    chosen = arguments.parse_args()
    data = pathlib.Path(chosen.data)
    if not data.is_dir():
        print(json.dumps({"bench": "truth", "skipped": f"no folder {data} with the survey tables: name it with --data"}))
        return
    everything, asked_of_each = [], []
    with Environments(chosen.folder) as environments, tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        tables = {name: TABLES[name](folder, data) for name in chosen.only or TABLES}
        python = environments.python(PEER)
        with Site(chosen.parley, folder, tables) as site:
            for table, questions in tables.items():
                for asked, (question, truth) in enumerate(zip(questions, truths(python, folder, table, questions))):
                    cells = Cells()
                    for _ in range(chosen.runs):
                        cells.take(site.ask(table, question, asked), truth)
                    lines = list(cells.lines())
                    figures = summary(cells.all())
                    asked_of_each.append(figures)
                    if chosen.cells:
                        for line in lines:
                            print(json.dumps({"bench": "truth_cell", "sql": question.sql, **line}))
                    print(json.dumps({
                        "bench": "truth_question", "table": table, "sql": question.sql, **question.hints,
                        **figures, "noise": relative(lines, "noise"), "bias": relative(lines, "bias")}), flush=True)
                    everything += cells.all()
    print(json.dumps({"bench": "truth", "questions": len(asked_of_each), "runs": chosen.runs, **summary(everything)}))
    print(json.dumps({"bench": "truth_by_question", **{name: mean(asked_of_each, name) for name in summary([])}}))


if __name__ == "__main__":
    main()
