#!/usr/bin/env python3
"""Measures the figures of docs/guide/choosing.md: half-widths as a datasite answers, bias from the rows themselves.

    python3 Benchmarks/guide/figures.py

It makes a site in a temporary folder with the example's table and, where ../shared/data has it, the Census Income (KDD)
table under three bounds of its survey weight, asks each question once with `parley`, and prints the tables of the guide. A
half-width follows from the plan and, for means, from the noisy counts: another run differs by a few in a hundred there.
"""

import csv
import gzip
import json
import os
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
PARLEY = os.environ.get("PARLEY", str(ROOT / ".build/release/parley"))
EXAMPLE = ROOT / "Examples/randhie"
CENSUS = ROOT.parent / "shared/data/census-kdd/census_income_1994_1995_train.csv.gz"
BOUNDS = (32_000, 10_000, 6_000)


def run(folder, *arguments):
    """One command in the folder, without this user's settings."""
    environment = {"HOME": folder, "PATH": os.environ["PATH"], "LANG": "C.UTF-8"}
    done = subprocess.run([PARLEY, *arguments], cwd=folder, env=environment, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"parley {' '.join(arguments)}: {done.stderr}")
    return done.stdout


class Site:
    """A datasite that serves while it is used."""

    def __init__(self, folder):
        self.folder = folder
        run(folder, "site", "init")
        token = run(folder, "user", "add", "ana", "--role", "researcher")
        self.token = pathlib.Path(folder, "ana.token")
        self.token.write_text(token)
        self.token.chmod(0o600)

    def add(self, file, manifest):
        path = pathlib.Path(self.folder, "manifest.yaml")
        path.write_text(manifest)
        # The tables here are public, and are asked more than any private one should be.
        run(self.folder, "data", "add", str(file), "--manifest", str(path), "--yes")

    def __enter__(self):
        self.server = subprocess.Popen(
            [PARLEY, "serve", "--port", "0"], cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        for line in self.server.stdout:
            if "listening on" in line:
                url = line.split("listening on ")[1].split()[0]
                break
        run(self.folder, "login", url, "--token-file", str(self.token))
        return self

    def __exit__(self, *_):
        self.server.terminate()
        self.server.wait()

    def ask(self, dataset, sql, epsilon, *options):
        """The first row's measured cells: value and half-width."""
        text = run(
            self.folder, "ask", dataset, sql, "--epsilon", str(epsilon), "--format", "json", *options
        )
        answer = json.loads(text)
        keys = [column["isKey"] for column in answer["columns"]]
        cells = [cell for cell, key in zip(answer["rows"][0], keys) if not key]
        return [(cell["value"], (cell["upper"] - cell["lower"]) / 2) for cell in cells]


def example_manifest(name, rows=5, groups=5):
    text = (EXAMPLE / "manifest.yaml").read_text()
    return (
        text.replace("name: randhie\n", f"name: {name}\n", 1)
        .replace("population: rand-hie-participants", f"population: of-{name}")
        .replace("  rows: 5\n  groups: 5\n", f"  rows: {rows}\n  groups: {groups}\n")
        .replace("total: {epsilon: 8}", "total: {epsilon: 20}\n  least-share: 1e-5")
        .replace("per-researcher: {epsilon: 3}", "per-researcher: {epsilon: 20}")
    )


def census_manifest(bound):
    return f"""
name: census{bound}
title: Current Population Survey, 1994 and 1995
description: One row is one person of the sample.
population: census{bound}
unit: row
capacity: {{rows: 250000, units: 250000}}
ignore: rest
weight: {{column: weight}}
policy: {{loss: zcdp, delta: 1e-6, total: {{epsilon: 20}}}}
columns:
  - {{name: age, type: integer, bounds: [0, 90], nullable: false}}
  - {{name: weight, type: real, bounds: [0, {bound}], nullable: false}}
"""


def example_rows():
    with gzip.open(EXAMPLE / "randhie.csv.gz", "rt") as file:
        return list(csv.DictReader(file))


def census_rows(folder):
    """Age and survey weight, also as a file that has a line of names."""
    path = pathlib.Path(folder, "census.csv")
    rows = []
    with gzip.open(CENSUS, "rt") as file, open(path, "w") as out:
        out.write("age,weight\n")
        for row in csv.reader(file):
            rows.append((float(row[0]), float(row[24])))
            out.write(f"{row[0].strip()},{row[24].strip()}\n")
    return path, rows


def table(title, head, rows):
    print(f"\n{title}\n\n| " + " | ".join(head) + " |\n|" + "---|" * len(head))
    for row in rows:
        print("| " + " | ".join(str(cell) for cell in row) + " |")


def digits(value):
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def main():
    rows = example_rows()
    people = {}
    for row in rows:
        people.setdefault(row["zper"], []).append(row)
    spending = [min(float(row["meddol"]), 1e18) for row in rows]
    true_mean = sum(spending) / len(spending)
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o700)
        site = Site(folder)
        site.add(EXAMPLE / "randhie.csv.gz", example_manifest("randhie"))
        for bound in (1, 2, 3):
            site.add(EXAMPLE / "randhie.csv.gz", example_manifest(f"rows{bound}", bound, bound))
        census = None
        if CENSUS.exists():
            path, census = census_rows(folder)
            for bound in BOUNDS:
                site.add(path, census_manifest(bound))
        with site:
            measured = []
            for epsilon in (0.1, 0.25, 0.5, 1, 2):
                (_, count), (_, mean) = site.ask("randhie", "SELECT COUNT(*), AVG(mdvis) FROM randhie", epsilon)
                measured.append((epsilon, f"± {digits(count)}", f"± {digits(mean)}"))
            table("Epsilon", ["epsilon", "COUNT(*)", "AVG(mdvis)"], measured)

            measured = []
            for bound in (500, 1000, 2000, 5000):
                sql = f"SELECT AVG(CLAMP(meddol, 0, {bound})) FROM randhie"
                ((_, mean),) = site.ask("randhie", sql, 0.5)
                clipped = sum(min(value, bound) for value in spending) / len(spending)
                share = sum(value > bound for value in spending) / len(spending)
                measured.append((f"{bound:,}", f"± {digits(mean)}", f"{clipped - true_mean:+.1f}", f"{share:.1%}"))
            table(
                f"Bounds of meddol, whose mean is {true_mean:.1f}",
                ["upper bound", "half-width", "bias of clipping", "rows above it"], measured)

            measured = []
            for bound in (1, 2, 3, 5):
                name = "randhie" if bound == 5 else f"rows{bound}"
                ((_, count),) = site.ask(name, f"SELECT COUNT(*) FROM {name}", 0.5)
                kept = sum(min(len(own), bound) for own in people.values())
                measured.append((bound, f"± {digits(count)}", f"{1 - kept / len(rows):.1%}"))
            table("Rows of a unit", ["rows", "half-width of COUNT(*)", "rows lost"], measured)

            measured = []
            for bound in (1, 2, 3, 5):
                sql = "SELECT year, COUNT(*) FROM randhie GROUP BY year"
                groups = ("--groups-per-unit", str(bound))
                ((_, count),) = site.ask("randhie", sql, 0.5, *groups)
                ((_, one),) = site.ask("randhie", sql, 0.5, *groups, "--rows-per-group", "1")
                kept = sum(min(len({row["year"] for row in own}), bound) for own in people.values())
                measured.append((bound, f"± {digits(count)}", f"± {digits(one)}", f"{1 - kept / len(rows):.1%}"))
            table(
                "Groups of a unit: a year's COUNT(*)",
                ["groups", "half-width", "with one row a group", "rows lost"], measured)

            if census is None:
                print(f"\nThe weights were NOT measured: there is no {CENSUS}", file=sys.stderr)
                return
            total = sum(weight for _, weight in census)
            measured = []
            for bound in BOUNDS:
                ((_, count),) = site.ask(f"census{bound}", f"SELECT COUNT(*) WEIGHTED FROM census{bound}", 0.5)
                lost = 1 - sum(min(weight, bound) for _, weight in census) / total
                measured.append((f"{bound:,}", f"± {digits(count)}", f"{lost:.3%}"))
            table(
                f"Bounds of a weight, of a total of {total:,.0f}",
                ["upper bound", "half-width", "of the total lost"], measured)


if __name__ == "__main__":
    main()
