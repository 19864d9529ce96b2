"""Exact noise, draws a second on one thread, beside OpenDP: discrete Gaussian and discrete Laplace added to a vector of
64-bit integers, scales 1 to 1e6. Both draw from the operating system's randomness and follow the exact law.

    noise.py --parley-bench PATH [--folder FOLDER] [--draws N]    one JSON object a line, then a table in Markdown

CPU seconds, not wall time. OpenDP is called from Python on a whole vector: the same call with scale 0, which draws nothing,
is its overhead of conversion, taken off in `draws_per_s_net`.
"""

import argparse
import json
import subprocess
import sys
import time
from importlib.metadata import version

sys.dont_write_bytecode = True
from environment import Environments, peer_lines, tell

SCALES = [1.0, 10.0, 1_000.0, 1_000_000.0]
LAWS = ["gaussian", "laplace"]
PREFIX = "noise_discrete_"


def main():
    arguments = argparse.ArgumentParser(description="Exact noise, beside OpenDP.")
    arguments.add_argument("--parley-bench", required=True, help="the parley-bench executable, built for release")
    arguments.add_argument("--folder", help="where environments are kept; a temporary folder otherwise")
    arguments.add_argument("--draws", type=int, default=200_000, help="of OpenDP, for each law and scale")
    chosen = arguments.parse_args()
    lines = []

    def take(line):
        lines.append({"benchmark": "noise"} | line)
        tell(lines[-1])

    for line in ours(chosen.parley_bench):
        take(line)
    with Environments(chosen.folder) as environments:
        for line in peer_lines(environments, "opendp", __file__, [chosen.draws]):
            take(line)
    print("\n" + table(lines))


def ours(bench):
    output = subprocess.run([bench, "noise"], check=True, stdout=subprocess.PIPE, text=True).stdout
    for line in output.splitlines():
        if line.startswith("{") and (found := json.loads(line))["bench"].startswith(PREFIX):
            yield {"law": found["bench"].removeprefix(PREFIX), "scale": found["scale"], "library": "Parley",
                   "draws_per_s": round(found["draws_per_s"])}


def opendp(draws):
    """In OpenDP's environment."""
    import opendp.prelude as dp

    dp.enable_features("contrib")
    domain = dp.vector_domain(dp.atom_domain(T="i64"))

    def spent(law, scale):
        if law == "gaussian":
            mechanism = dp.m.make_gaussian(domain, dp.l2_distance(T="i64"), scale=scale)
        else:
            mechanism = dp.m.make_laplace(domain, dp.l1_distance(T="i64"), scale=scale)
        zeros = [0] * draws
        mechanism(zeros[:10])
        start = time.process_time()
        mechanism(zeros)
        return time.process_time() - start

    for law in LAWS:
        for scale in SCALES:
            seconds, overhead = spent(law, scale), spent(law, 0.0)
            tell({"law": law, "scale": scale, "library": "OpenDP " + version("opendp"),
                  "draws_per_s": round(draws / seconds),
                  "draws_per_s_net": round(draws / max(seconds - overhead, 1e-9))})


def table(lines):
    text = ["| law | scale | library | million draws a second | without conversion |", "|---|---|---|---|---|"]
    drawn = [line for line in lines if "law" in line]
    for line in sorted(drawn, key=lambda line: (line["law"], line["scale"], line["library"] != "Parley")):
        net = f"{line['draws_per_s_net'] / 1e6:.3g}" if "draws_per_s_net" in line else ""
        text.append(f"| discrete {line['law'].capitalize()} | {line['scale']:g} | {line['library']} "
                    f"| {line['draws_per_s'] / 1e6:.3g} | {net} |")
    text += [f"| | | {line['library']} | {line['skipped']} | |" for line in lines if "skipped" in line]
    return "\n".join(text)


if __name__ == "__main__":
    if len(sys.argv) == 3 and sys.argv[1] == "opendp":
        opendp(int(sys.argv[2]))
    else:
        main()
