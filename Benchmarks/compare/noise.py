"""Exact noise, draws a second on one thread, side by side with OpenDP: discrete Gaussian and discrete Laplace added to a
vector of 64-bit integers, scales 1 to 1e6. Both draw from the operating system's randomness and follow the exact law.

Usage: noise.py PARLEY_BENCH [DRAWS]; prints one JSON object a line. CPU seconds, not wall time. OpenDP is called from
Python on a whole vector: the same call with scale 0, which draws nothing, is its overhead of conversion, told beside and
taken off in `draws_per_s_net`.
"""

import json
import subprocess
import sys
import time
from importlib.metadata import version

import opendp.prelude as dp


def main():
    bench = sys.argv[1]
    draws = int(sys.argv[2]) if len(sys.argv) > 2 else 200_000
    lines = ours(bench)
    for scale in sorted({line["scale"] for line in lines}):
        for law in ("gaussian", "laplace"):
            lines.append(opendp_line(law, scale, draws))
    for line in sorted(lines, key=lambda line: (line["law"], line["scale"], line["library"])):
        print(json.dumps(line), flush=True)


def ours(bench):
    output = subprocess.run([bench, "noise"], check=True, capture_output=True, text=True).stdout
    lines = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
    prefix = "noise_discrete_"
    return [
        {"law": line["bench"].removeprefix(prefix), "scale": line["scale"], "library": "Parley",
         "draws_per_s": round(line["draws_per_s"])}
        for line in lines if line["bench"].startswith(prefix)]


def opendp_line(law, scale, draws):
    seconds = spent(measurement(law, scale), draws)
    overhead = spent(measurement(law, 0.0), draws)
    return {
        "law": law, "scale": scale, "library": "OpenDP " + version("opendp"),
        "draws_per_s": round(draws / seconds), "draws_per_s_net": round(draws / max(seconds - overhead, 1e-9))}


def measurement(law, scale):
    domain = dp.vector_domain(dp.atom_domain(T="i64"))
    if law == "gaussian":
        return dp.m.make_gaussian(domain, dp.l2_distance(T="i64"), scale=scale)
    return dp.m.make_laplace(domain, dp.l1_distance(T="i64"), scale=scale)


def spent(mechanism, draws):
    zeros = [0] * draws
    mechanism(zeros[:10])
    start = time.process_time()
    mechanism(zeros)
    return time.process_time() - start


if __name__ == "__main__":
    dp.enable_features("contrib")
    main()
