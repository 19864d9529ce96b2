"""Products of matrices and the convolutions of ResNet-18 (batch 8, 3 x 224 x 224) on one thread, beside PyTorch: forward and both
gradients, CPU time.

    kernels.py --parley-bench PATH [--folder FOLDER] [--rounds N]    one JSON object a line, then a table in Markdown

Ours and PyTorch's take turns, and the best of all rounds counts for each, so that what else the machine does meets both.
"""

import argparse
import json
import subprocess
import sys
import time

sys.dont_write_bytecode = True
from environment import Environments, peer_lines, tell

# CPU seconds for each figure of PyTorch, in each round.
PATIENCE = 0.25


def main():
    arguments = argparse.ArgumentParser(description="Kernels, beside PyTorch.")
    arguments.add_argument("--parley-bench", required=True, help="the parley-bench executable, built for release")
    arguments.add_argument("--folder", help="where environments are kept; a temporary folder otherwise")
    arguments.add_argument("--rounds", type=int, default=3, help="how often ours and PyTorch's take turns")
    chosen = arguments.parse_args()
    best, skipped = {}, []

    def take(line):
        if "skipped" in line:
            skipped.append(line)
            return tell(line)
        key = (line["library"], line["number"])
        if key not in best or line["seconds"] < best[key]["seconds"]:
            best[key] = line

    with Environments(chosen.folder) as environments:
        for _ in range(chosen.rounds):
            shapes = ours(chosen.parley_bench)
            for number, shape in enumerate(shapes):
                take(shape | {"library": "Parley", "number": number})
            for line in peer_lines(environments, "torch", __file__, [json.dumps(shapes)]):
                take(line if "skipped" in line else shapes[line["number"]] | line)
            if skipped:
                break
    for key in sorted(best, key=lambda key: (key[1], key[0] != "Parley")):
        line = best[key]
        line["gigaflops"] = round(operations(line) / line["seconds"] / 1e9, 1)
        tell({"benchmark": "kernels"} | {name: value for name, value in line.items() if name != "number"})
    print("\n" + table(best))


def ours(bench):
    output = subprocess.run([bench, "kernels"], check=True, stdout=subprocess.PIPE, text=True).stdout
    return [json.loads(line) for line in output.splitlines() if line.startswith('{"bench": "kernels_')]


def operations(line):
    """Floating-point operations of one call."""
    if "m" in line:
        return 2 * line["m"] * line["n"] * line["k"]
    pixels = ((line["size"] + 2 * line["padding"] - line["kernel"]) // line["stride"] + 1) ** 2
    return 2 * line["batch"] * line["outputs"] * pixels * line["channels"] * line["kernel"] ** 2


def torch(shapes):
    """In PyTorch's environment: one call of each shape at a time."""
    import torch

    torch.set_num_threads(1)
    library = "PyTorch " + torch.__version__
    with torch.no_grad():
        for number, shape in enumerate(shapes):
            tell({"library": library, "number": number, "seconds": least(call(torch, shape))})


def call(torch, shape):
    direction = shape["bench"].removeprefix("kernels_convolution_")
    if direction == "kernels_gemm":
        m, n, k = shape["m"], shape["n"], shape["k"]
        a = torch.randn(k, m).t() if shape["a_transposed"] else torch.randn(m, k)
        b = torch.randn(n, k).t() if shape["b_transposed"] else torch.randn(k, n)
        c = torch.empty(m, n)
        return lambda: torch.mm(a, b, out=c)
    kernel, stride, padding = shape["kernel"], [shape["stride"]] * 2, [shape["padding"]] * 2
    x = torch.randn(shape["batch"], shape["channels"], shape["size"], shape["size"])
    weights = torch.randn(shape["outputs"], shape["channels"], kernel, kernel)
    if direction == "forward":
        return lambda: torch.conv2d(x, weights, None, stride, padding)
    gradient = torch.randn_like(torch.conv2d(x, weights, None, stride, padding))
    wanted = [direction == "input_gradient", direction == "weight_gradient", False]
    backward = torch.ops.aten.convolution_backward
    return lambda: backward(gradient, x, weights, None, stride, padding, [1, 1], False, [0, 0], 1, wanted)


def least(run):
    """The least CPU seconds of a call: of as many in a row as take two milliseconds, which the clock measures well."""
    run()
    start = time.process_time()
    run()
    calls, result = max(1, int(2e-3 / max(time.process_time() - start, 1e-6))), float("inf")
    while time.process_time() - start < PATIENCE:
        before = time.process_time()
        for _ in range(calls):
            run()
        result = min(result, (time.process_time() - before) / calls)
    return result


def table(best):
    """Ratios above 1 are ours faster."""
    text = ["| what | ours, Gflop/s | PyTorch, Gflop/s | ratio |", "|---|---|---|---|"]
    pairs = {}
    for (library, number), line in sorted(best.items(), key=lambda item: item[0][1]):
        pairs.setdefault(number, {})["ours" if library == "Parley" else "peer"] = line
    sums = {}
    for pair in pairs.values():
        if len(pair) < 2:
            continue
        mine, theirs = pair["ours"], pair["peer"]
        ratio = theirs["seconds"] / mine["seconds"]
        text.append(f"| {name(mine)} | {mine['gigaflops']:.0f} | {theirs['gigaflops']:.0f} | {ratio:.2f} |")
        if "times" in mine:
            total = sums.setdefault(mine["bench"].removeprefix("kernels_convolution_").replace("_", " "), [0, 0])
            total[0] += mine["times"] * mine["seconds"]
            total[1] += mine["times"] * theirs["seconds"]
    if sums:
        sums["all three"] = [sum(total[0] for total in sums.values()), sum(total[1] for total in sums.values())]
    for what, (mine, theirs) in sums.items():
        text.append(f"| all of ResNet-18's convolutions, {what} | {mine * 1e3:.0f} ms | {theirs * 1e3:.0f} ms | {theirs / mine:.2f} |")
    return "\n".join(text)


def name(line):
    if "m" in line:
        a, b = "^T" if line["a_transposed"] else "", "^T" if line["b_transposed"] else ""
        return f"A{a} B{b}, {line['m']} x {line['k']} times {line['k']} x {line['n']}"
    direction = line["bench"].removeprefix("kernels_convolution_").replace("_", " ")
    return (f"{line['channels']} x {line['size']}^2 to {line['outputs']}, kernel {line['kernel']}, stride {line['stride']}: "
            f"{direction}")


if __name__ == "__main__":
    if len(sys.argv) == 3 and sys.argv[1] == "torch":
        torch(json.loads(sys.argv[2]))
    else:
        main()
