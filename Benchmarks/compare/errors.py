"""Errors at equal epsilon, side by side with OpenDP, diffprivlib and Google's library (PyDP): mean, median, five
quantiles, a histogram of 100 bins, ranges of width 1 to 1000 of 4096 bins; 1e6 values between 0 and 100 (Gamma(2, 15),
capped). Each peer runs in an environment of its own (environment.py).

    errors.py --parley-bench PATH [--folder FOLDER] [--runs N]    one JSON object a line, then a table in Markdown

Each error is the median over the runs of: |mean - truth|; the mean distance in ranks of the quantiles from their targets;
the mean over bins, or over all ranges of the width, of |count - truth|. Every statistic has the whole epsilon. Neighbours are
add/remove (epsilon for one row more or less) unless a line says that the number of rows is public: then neighbours replace
one row.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from importlib.metadata import version

sys.dont_write_bytecode = True
from environment import Environments, peer_lines, tell

EPSILON = 1.0
BOUNDS = (0.0, 100.0)
QUANTILES = [0.1, 0.25, 0.5, 0.75, 0.9]
BINS = 100
RANGE_BINS = 4096
WIDTHS = [1, 10, 100, 1000]
CANDIDATES = 200_001
ADDED_UP = "bins of a histogram added up"
PEERS = ["opendp", "diffprivlib", "pydp"]


def main():
    arguments = argparse.ArgumentParser(description="Errors at equal epsilon, beside other libraries.")
    arguments.add_argument("--parley-bench", required=True, help="the parley-bench executable, built for release")
    arguments.add_argument("--folder", help="where environments are kept; a temporary folder otherwise")
    arguments.add_argument("--runs", type=int, default=25)
    chosen = arguments.parse_args()
    lines = []

    def take(line):
        lines.append({"benchmark": "errors"} | line)
        tell(lines[-1])

    with tempfile.NamedTemporaryFile(suffix=".f64") as file, Environments(chosen.folder) as environments:
        # Any environment with NumPy makes the data.
        for skipped in peer_lines(environments, "pydp", __file__, ["data", file.name]):
            return take(skipped)
        output = subprocess.run(
            [chosen.parley_bench, "errors", file.name, str(EPSILON), str(chosen.runs)], check=True,
            stdout=subprocess.PIPE, text=True).stdout
        for line in output.splitlines():
            if line.startswith("{"):
                take(our_line(json.loads(line)))
        for peer in PEERS:
            for line in peer_lines(environments, peer, __file__, [file.name, chosen.runs]):
                take(line)
    print("\n" + table(lines))


def in_environment(peer, file, runs):
    """What runs in a peer's environment: makes the data (where file is "data"), or prints its lines."""
    global np
    import numpy as np

    if file == "data":
        values = np.minimum(np.random.default_rng(1).gamma(2, 15, 1_000_000), BOUNDS[1])
        values.astype("<f8").tofile(runs)
        return
    values = np.fromfile(file, dtype="<f8")
    globals()[peer](values, Truth(values), int(runs))


def our_line(line):
    statistic = line["bench"].removeprefix("errors_")
    notes = {"mean": "two sums, number of rows private", "quantiles": "chosen jointly"}
    note = notes.get(statistic, "")
    if statistic.startswith("ranges"):
        note = f"tree of fanout {line['fanout']:.0f}, consistent" if "fanout" in line else ADDED_UP
    return {"statistic": statistic.removesuffix("_histogram"), "library": "Parley", "error": line["error"],
            "cpu_s": line["cpu_s"]} | ({"note": note} if note else {})


class Truth:
    def __init__(self, values):
        self.values = values
        self.sorted = np.sort(values)
        self.mean = values.mean()
        self.histogram = histogram(values, BINS)
        self.fine = histogram(values, RANGE_BINS)

    def mean_error(self, mean):
        return abs(mean - self.mean)

    def rank_error(self, found, quantiles):
        ranks = np.searchsorted(self.sorted, found)
        return float(np.mean(np.abs(ranks - np.array(quantiles) * len(self.sorted))))

    def histogram_error(self, counts):
        return float(np.mean(np.abs(np.asarray(counts) - self.histogram)))

    def range_error(self, counts, width):
        noise = np.concatenate([[0], np.cumsum(np.asarray(counts) - self.fine)])
        return float(np.mean(np.abs(noise[width:] - noise[:-width])))


def histogram(values, bins):
    return np.bincount(bin_of(values, bins), minlength=bins)


def bin_of(values, bins):
    return np.minimum((values / BOUNDS[1] * bins).astype(np.int64), bins - 1)


def measure(statistic, library, runs, release, error, note=""):
    """Prints a line."""
    start = time.process_time()
    released = [release() for _ in range(runs)]
    seconds = (time.process_time() - start) / runs
    errors = [error(value) for value in released]
    result = {"statistic": statistic, "library": library, "error": statistics.median(errors), "cpu_s": seconds}
    print(json.dumps(result | ({"note": note} if note else {})), flush=True)


def ranges(library, runs, release, truth, note=""):
    """A release for each width, its error averaged over all ranges of the width."""
    for width in WIDTHS:
        measure(f"ranges_{width}", library, runs, release, lambda counts: truth.range_error(counts, width), note)


def opendp(values, truth, runs):
    import opendp.prelude as dp

    dp.enable_features("contrib", "idealized-numerics")
    name = "OpenDP " + version("opendp")

    def calibrated(make, d_in=1):
        return dp.binary_search_chain(make, d_in=d_in, d_out=EPSILON)

    domain = dp.vector_domain(dp.atom_domain(bounds=BOUNDS, nan=False))
    space = domain, dp.symmetric_distance()

    total = dp.binary_search_chain(
        lambda s: space >> dp.t.then_sum() >> dp.m.then_laplace(s), d_in=1, d_out=EPSILON / 2)
    count = dp.binary_search_chain(
        lambda s: space >> dp.t.then_count() >> dp.m.then_laplace(s), d_in=1, d_out=EPSILON / 2)
    measure(
        "mean", name, runs, lambda: total(values) / max(1, count(values)), truth.mean_error,
        "sum and count, half the epsilon each")

    sized = dp.vector_domain(dp.atom_domain(bounds=BOUNDS, nan=False), size=len(values)), dp.symmetric_distance()
    mean = calibrated(lambda s: sized >> dp.t.then_mean() >> dp.m.then_laplace(s), d_in=2)
    measure("mean", name, runs, lambda: mean(values), truth.mean_error, "number of rows public")

    candidates = np.linspace(*BOUNDS, CANDIDATES)

    def quantile(alpha, epsilon):
        return dp.binary_search_chain(
            lambda s: space >> dp.m.then_private_quantile(dp.max_divergence(), candidates, alpha, s),
            d_in=1, d_out=epsilon, T=float)

    median = quantile(0.5, EPSILON)
    measure(
        "median", name, runs, lambda: [median(values)], lambda found: truth.rank_error(found, [0.5]),
        "200,001 candidates")
    several = [quantile(alpha, EPSILON / len(QUANTILES)) for alpha in QUANTILES]
    measure(
        "quantiles", name, runs, lambda: [one(values) for one in several],
        lambda found: truth.rank_error(found, QUANTILES), "200,001 candidates, a fifth of the epsilon each")

    def counts_of(bins):
        binned = bin_of(values, bins)
        integers = dp.vector_domain(dp.atom_domain(T=dp.i32)), dp.symmetric_distance()
        mechanism = calibrated(
            lambda s: integers
            >> dp.t.then_count_by_categories(list(range(bins)), null_category=False, TOA=dp.i64)
            >> dp.m.then_laplace(s))
        return lambda: mechanism(binned.astype(np.int32))

    measure("histogram", name, runs, counts_of(BINS), truth.histogram_error)

    binned = bin_of(values, RANGE_BINS).astype(np.int32)
    branching = dp.t.choose_branching_factor(RANGE_BINS)
    integers = dp.vector_domain(dp.atom_domain(T=dp.i32)), dp.symmetric_distance()
    tree = calibrated(
        lambda s: integers
        >> dp.t.then_count_by_categories(list(range(RANGE_BINS)), null_category=False, TOA=dp.i64)
        >> dp.t.then_b_ary_tree(leaf_count=RANGE_BINS, branching_factor=branching)
        >> dp.m.then_laplace(s))
    consistent = dp.t.make_consistent_b_ary_tree(branching)
    ranges(name, runs, lambda: consistent(tree(binned))[:RANGE_BINS], truth, f"tree of fanout {branching}, consistent")


def diffprivlib(values, truth, runs):
    from diffprivlib import tools

    warnings.filterwarnings("ignore")
    name = "diffprivlib " + version("diffprivlib")
    measure(
        "mean", name, runs, lambda: tools.mean(values, epsilon=EPSILON, bounds=BOUNDS), truth.mean_error,
        "number of rows public")
    measure(
        "median", name, runs, lambda: [tools.median(values, epsilon=EPSILON, bounds=BOUNDS)],
        lambda found: truth.rank_error(found, [0.5]))

    def counts_of(bins):
        return lambda: tools.histogram(values, epsilon=EPSILON, bins=bins, range=BOUNDS)[0]

    measure("histogram", name, runs, counts_of(BINS), truth.histogram_error)
    ranges(name, runs, counts_of(RANGE_BINS), truth, ADDED_UP)
    measure(
        "quantiles", name, runs, lambda: tools.quantile(values, QUANTILES, epsilon=EPSILON, bounds=BOUNDS),
        lambda found: truth.rank_error(found, QUANTILES), "a fifth of the epsilon each")


def pydp(values, truth, runs):
    from pydp.algorithms.laplacian import BoundedMean, Median, Percentile

    name = "Google (PyDP " + version("python-dp") + ")"
    lower, upper = BOUNDS
    listed = values.tolist()

    def percentile(quantile):
        return Percentile(
            epsilon=EPSILON / len(QUANTILES), lower_bound=lower, upper_bound=upper, percentile=quantile,
            dtype="float").quick_result(listed)

    bounds = {"epsilon": EPSILON, "lower_bound": lower, "upper_bound": upper, "dtype": "float"}
    measure(
        "mean", name, runs, lambda: BoundedMean(**bounds).quick_result(listed), truth.mean_error,
        "number of rows private")
    measure(
        "median", name, runs, lambda: [Median(**bounds).quick_result(listed)],
        lambda found: truth.rank_error(found, [0.5]))
    measure(
        "quantiles", name, runs, lambda: [percentile(quantile) for quantile in QUANTILES],
        lambda found: truth.rank_error(found, QUANTILES), "a fifth of the epsilon each")


def table(lines):
    rows = ["| statistic | library | median error | CPU s a run | |", "|---|---|---|---|---|"]
    found = [line for line in lines if "statistic" in line]
    order = {name: place for place, name in enumerate(dict.fromkeys(line["statistic"] for line in found))}
    for one in sorted(found, key=lambda one: (order[one["statistic"]], one["error"])):
        rows.append(
            f"| {one['statistic'].replace('ranges_', 'ranges of width ')} | {one['library']} | {one['error']:.3g} "
            f"| {one['cpu_s']:.2g} | {one.get('note', '')} |")
    rows += [f"| all | {line['library']} | | | {line['skipped']} |" for line in lines if "skipped" in line]
    return "\n".join(rows)


if __name__ == "__main__":
    if len(sys.argv) == 4 and sys.argv[1] in PEERS:
        in_environment(*sys.argv[1:])
    else:
        main()
