"""The grouped question, side by side: count, sum and mean of a value by a group whose keys are unknown, at epsilon 1 and
delta 1e-7, 1e7 rows of 1e5 units; at most 10 groups a unit, 20 rows a unit and group, values between 0 and 100.

    tables.py --parley-bench PATH [--folder FOLDER] [--only PEER ...]    one JSON object a line, then a table in Markdown

Everybody gets the same table: parley-bench writes it as CSV (GroupedTable.swift). Peers have it in memory, loading it
excluded from the CPU time; one thread. `peak_mb` is the largest resident memory of the process, the table included.
Parley's line holds medians over 20 runs, a peer's one run. Errors are medians, over the released ones of the largest
groups (184 and 290 of them), of |answer - truth| / truth.

Truncation bias apart: `bias` is the median of |truth after truncation - truth| / truth over these groups, and
`error_truncated` is measured against the truth after truncation: noise alone. A unit's rows in a group are cut at random,
the truth after it is an expectation.

OpenDP's own random choice of groups (`truncate_num_groups`, keep="sample") fails on the Polars that it pins ("multiple
fields with name 'g'") and its filters accept no other; keep="first" works, and keeps the 9 lowest keys of 10 (`rank < k`).
Keys here are in order of popularity, so that what is lost is each unit's least popular group: kind to the largest groups.
"""

import argparse
import json
import os
import pathlib
import resource
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version

sys.dont_write_bytecode = True
from environment import Environments, peer_lines, tell

EPSILON, DELTA = 1.0, 1e-7
# The Gaussian mechanism with this zCDP parameter is (1, 5e-8)-differentially private (Balle and Wang 2018), as for Parley.
RHO, SELECTION_DELTA = 0.0216, 5e-8
GROUPS_A_UNIT, ROWS_A_GROUP, BOUNDS = 10, 20, (0.0, 100.0)
GROUPS = 1000
LARGEST = [184, 290]
STATISTICS = ["count", "sum", "mean"]
ROWS = {"opendp": 10_000_000, "pipeline_dp": 10_000_000, "smartnoise": 1_000_000}

# From the measurements that set our targets, on another machine.
QUOTED = [
    {"library": "Tumult Analytics on Spark", "rows": 1_000_000, "cpu_s": 176, "note": "quoted, not measured in this run"},
    {"library": "PySyft 0.9.5", "rows": 1_000_000, "wall_s": 8.98, "peak_mb": 900,
     "note": "one sum, submit to result; quoted, not measured in this run"},
]


def opendp(rows):
    import opendp.prelude as dp
    import polars as pl

    dp.enable_features("contrib")
    name = f"OpenDP {version('opendp')} (Polars {version('polars')})"
    unit, group, value = rows()
    frame = pl.DataFrame({"unit": unit, "g": group, "v": value}).lazy()
    del unit, group, value

    def ask(loss):
        context = dp.Context.compositor(
            data=frame, privacy_unit=dp.unit_of(contributions=1, identifier=pl.col("unit")), privacy_loss=loss,
            split_evenly_over=1,
            # What the owner says of the table. Without a bound on a group's rows, allowing for the rounding of sums
            # multiplies their noise by twenty.
            margins=[
                dp.polars.Margin(by=[], max_length=10_000_000),
                dp.polars.Margin(by=["g"], max_groups=GROUPS, max_length=1_000_000),
            ])
        query = (
            context.query().truncate_per_group(ROWS_A_GROUP, by=["g"])
            .truncate_num_groups(GROUPS_A_UNIT, by=["g"], keep="first").group_by("g")
            .agg(dp.len(signed=True), pl.col("v").fill_nan(0).fill_null(0).dp.sum(BOUNDS)))
        released = query.release().collect()
        return [(g, count, total, total / max(1, count)) for g, count, total in released.select("g", "len", "v").rows()]

    note = "keeps 9 groups a unit, its least popular one lost"
    for noise, loss in [
        ("Laplace", dp.loss_of(epsilon=EPSILON, delta=DELTA)),
        ("Gaussian", dp.loss_of(rho=RHO, delta=SELECTION_DELTA)),
    ]:
        yield f"{name}, {noise}", lambda: ask(loss), GROUPS_A_UNIT - 1, note


def pipeline_dp(rows):
    import pipeline_dp as pdp

    table = list(zip(*[column.tolist() for column in rows()]))
    extractors = pdp.DataExtractors(
        privacy_id_extractor=lambda row: row[0], partition_extractor=lambda row: row[1],
        value_extractor=lambda row: row[2])

    def ask(noise):
        budget = pdp.NaiveBudgetAccountant(total_epsilon=EPSILON, total_delta=DELTA)
        parameters = pdp.AggregateParams(
            metrics=[pdp.Metrics.COUNT, pdp.Metrics.SUM, pdp.Metrics.MEAN], noise_kind=noise,
            max_partitions_contributed=GROUPS_A_UNIT, max_contributions_per_partition=ROWS_A_GROUP,
            min_value=BOUNDS[0], max_value=BOUNDS[1])
        answer = pdp.DPEngine(budget, pdp.LocalBackend()).aggregate(table, parameters, extractors)
        budget.compute_budgets()
        return [(g, metrics.count, metrics.sum, metrics.mean) for g, metrics in answer]

    name = "PipelineDP " + version("pipeline-dp") + ", local"
    for noise in [pdp.NoiseKind.LAPLACE, pdp.NoiseKind.GAUSSIAN]:
        yield f"{name}, {noise.value.capitalize()}", lambda: ask(noise), GROUPS_A_UNIT, ""


def smartnoise(rows):
    import pandas
    import snsql

    frame = pandas.DataFrame(dict(zip(["unit", "g", "v"], rows())))
    query = "SELECT g, COUNT(*) AS n, SUM(v) AS s, AVG(v) AS m FROM s.t GROUP BY g"
    value = {"type": "float", "lower": BOUNDS[0], "upper": BOUNDS[1]}
    table = {
        # Ten rows a unit on average; a bound on its rows of all groups together is the only one that there is.
        "max_ids": 20, "row_privacy": False, "censor_dims": True, "clamp_counts": False, "rows": len(frame),
        "unit": {"type": "int", "private_id": True}, "g": {"type": "int"}, "v": value,
    }

    def reader(epsilon, delta):
        return snsql.from_df(
            frame, privacy=snsql.Privacy(epsilon=epsilon, delta=delta), metadata={"": {"s": {"t": table}}})

    # It spends epsilon and delta on each column; by its own reckoning the whole query costs these multiples.
    epsilons, deltas = (cost / own for cost, own in zip(reader(1.0, DELTA).get_privacy_cost(query), (1.0, DELTA)))
    ready = reader(EPSILON / epsilons, DELTA / deltas)
    yield (
        "SmartNoise SQL " + version("smartnoise-sql"), lambda: ready.execute(query)[1:], GROUPS_A_UNIT,
        "at most 20 rows a unit")


def measure(peer, file):
    """In the peer's environment: prints a line for each way to ask it."""
    import numpy as np

    def rows():
        loaded = np.load(file)
        return loaded["unit"], loaded["g"], loaded["v"]

    lines = []
    for name, ask, groups_kept, note in globals()[peer](rows):
        start = time.process_time()
        answer = ask()
        seconds = time.process_time() - start
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        lines.append(({"library": name, "rows": ROWS[peer], "cpu_s": seconds, "peak_mb": peak}, answer, groups_kept, note))
    judge = Judge(*rows())
    for line, answer, groups_kept, note in lines:
        line |= {"released": len(answer)} | judge.figures(answer, groups_kept)
        print(json.dumps(line | ({"note": note} if note else {})), flush=True)


class Judge:
    """Compares answers with the truth, and with the truth after truncation."""

    def __init__(self, unit, group, value):
        import numpy as np

        self.np = np
        key = unit.astype(np.int64) * GROUPS + group
        order = np.argsort(key, kind="stable")
        pairs, starts, self.pair_counts = np.unique(key[order], return_index=True, return_counts=True)
        self.pair_sums = np.add.reduceat(value[order], starts)
        self.pair_group = pairs % GROUPS
        units, first = np.unique(pairs // GROUPS, return_index=True)
        # The place of a pair among its unit's, in the order of keys.
        self.place = np.arange(len(pairs)) - np.repeat(first, np.diff(np.append(first, len(pairs))))
        self.truth = self.totals(np.ones(len(pairs)))

    def totals(self, share):
        """Count, sum and mean of each group where this share of each pair's rows is kept."""
        counts = self.np.bincount(self.pair_group, self.pair_counts * share, GROUPS)
        sums = self.np.bincount(self.pair_group, self.pair_sums * share, GROUPS)
        return dict(zip(STATISTICS, [counts, sums, sums / self.np.maximum(counts, 1e-9)]))

    def figures(self, answer, groups_kept):
        np = self.np
        share = np.minimum(1, ROWS_A_GROUP / self.pair_counts) * (self.place < groups_kept)
        truncated = self.totals(share)
        largest = np.argsort(-self.truth["count"])
        result = {}
        for size in LARGEST:
            chosen = set(largest[:size].tolist())
            rows = [row for row in answer if int(row[0]) in chosen]
            groups = np.array([int(row[0]) for row in rows], dtype=np.int64)
            for column, name in enumerate(STATISTICS, start=1):
                found = np.array([float(row[column]) for row in rows])
                truth, cut = self.truth[name][groups], truncated[name][groups]
                result[f"median_relative_error_{name}_{size}"] = middle(np.abs(found - truth) / truth)
                result[f"error_truncated_{name}_{size}"] = middle(np.abs(found - cut) / cut)
                result[f"bias_{name}_{size}"] = middle(np.abs(cut - truth) / truth)
        return result


def middle(values):
    values = sorted(values.tolist())
    return (values[(len(values) - 1) // 2] + values[len(values) // 2]) / 2 if values else None


def prepare(csv, file):
    """From CSV to NumPy's arrays, in an environment that has it."""
    import numpy as np

    unit, group, value = np.loadtxt(csv, delimiter=",", skiprows=1, dtype=np.float64).T
    np.savez(file, unit=unit.astype(np.int32), g=group.astype(np.int32), v=value)


def ours(bench):
    output = subprocess.run([bench, "groupby"], check=True, stdout=subprocess.PIPE, text=True).stdout
    for line in output.splitlines():
        if line.startswith("{"):
            yield {"library": "Parley", "rows": 10_000_000} | json.loads(line) | {"note": "medians over 20 runs"}


def table(lines):
    text = ["| library | rows | CPU s | peak MB | groups released | errors, 184 largest | 290 largest "
            "| bias of truncation (184) | noise alone (184) | |", "|---|---|---|---|---|---|---|---|---|---|"]

    def percents(line, prefix, size):
        found = [line.get(f"{prefix}_{name}_{size}") for name in STATISTICS]
        return ", ".join("–" if one is None else f"{100 * one:.2g} %" for one in found) if found != [None] * 3 else ""

    for line in lines:
        if "skipped" in line:
            text.append(f"| {line['library']} | | | | | | | | | {line['skipped']} |")
            continue
        seconds = f"{line['cpu_s']:.3g}" if "cpu_s" in line else f"{line['wall_s']:.3g} (wall)"
        peak = f"{line['peak_mb']:.0f}" if "peak_mb" in line else ""
        text.append(
            f"| {line['library']} | {line['rows']:.0e} | {seconds} | {peak} | {line.get('released', '')} "
            f"| {percents(line, 'median_relative_error', 184)} | {percents(line, 'median_relative_error', 290)} "
            f"| {percents(line, 'bias', 184)} | {percents(line, 'error_truncated', 184)} | {line.get('note', '')} |")
    return "\n".join(text)


def main():
    arguments = argparse.ArgumentParser(description="The grouped question, beside other libraries.")
    arguments.add_argument("--parley-bench", required=True, help="the parley-bench executable, built for release")
    arguments.add_argument("--folder", help="where environments are kept; a temporary folder otherwise")
    arguments.add_argument("--peers", nargs="*", choices=list(ROWS), default=list(ROWS))
    chosen = arguments.parse_args()
    bench = os.path.abspath(chosen.parley_bench)
    lines = []

    def take(line):
        lines.append({"benchmark": "tables"} | line)
        tell(lines[-1])

    for line in ours(bench):
        take(line)
    with Environments(chosen.folder) as environments, tempfile.TemporaryDirectory() as folder:
        for peer in chosen.peers:
            csv = pathlib.Path(folder) / f"{ROWS[peer]}.csv"
            if not csv.exists():
                subprocess.run([bench, "child", "table", csv, str(ROWS[peer])], check=True)
            for line in peer_lines(environments, peer, __file__, [csv, csv.with_suffix(".npz")]):
                take(line)
    for line in QUOTED:
        take(line)
    print("\n" + table(lines))


if __name__ == "__main__":
    if len(sys.argv) == 4 and sys.argv[1] in ROWS:
        peer, csv, file = sys.argv[1:]
        if not pathlib.Path(file).exists():
            # Apart, so that what converting takes does not count as this process's memory.
            subprocess.run([sys.executable, __file__, "prepare", csv, file], check=True)
        measure(peer, file)
    elif sys.argv[1:2] == ["prepare"]:
        prepare(*sys.argv[2:])
    else:
        main()
