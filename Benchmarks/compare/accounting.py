"""Accounting beside dp_accounting, prv_accountant, Opacus and autodp: epsilon, and CPU time on one thread.

    accounting.py --parley PATH [--folder FOLDER]    one JSON object a line, then a table in Markdown

Peers come from PyPI into throw-away environments (environment.py). Opacus is installed without its dependencies, since
torch alone is 2 GB: only `opacus/accountants/analysis` is loaded, which is all that its accountants compute with, and stubs
stand for what would import torch. What its RDPAccountant and PRVAccountant add to it (the
default orders; eps_error 0.01 and delta_error delta / 1000, the upper end reported) is written out here.

CPU time is a process's own, the best of three (one for what takes over 2 s), without starting up and importing. For
Parley, whose command line includes both, it is the difference between one line of a batch and many, over their number less
one. Calibration is one call of the command line, starting up included.
"""

import argparse
import json
import math
import pathlib
import re
import resource
import subprocess
import sys
import time
import types

sys.dont_write_bytecode = True
from environment import Environments, peer_lines, tell

CASES = [
    {"name": "DP-SGD, q 0.004, sigma 1, 10,000 steps", "q": 0.004, "sigma": 1.0, "steps": 10000, "delta": 1e-5},
    {"name": "DP-SGD, q 0.01, sigma 0.8, 1,000 steps", "q": 0.01, "sigma": 0.8, "steps": 1000, "delta": 1e-6},
    {"name": "DP-SGD, q 0.001, sigma 2, 10,000 steps", "q": 0.001, "sigma": 2.0, "steps": 10000, "delta": 1e-5},
    {"name": "Opacus's MNIST, sigma 1.1, 60 epochs", "q": 0.004, "sigma": 1.1, "steps": 15000, "delta": 1e-5},
    {"name": "Gaussian, sigma 16, 1,000 times", "q": 1.0, "sigma": 16.0, "steps": 1000, "delta": 1e-9},
    {"name": "Laplace, scale 2, 100 times", "laplace": 2.0, "steps": 100, "delta": 1e-6},
]


# The least sigma of DP-SGD with q 0.004 and 10,000 steps that has this privacy, by privacy loss distributions.
CALIBRATION = {"q": 0.004, "steps": 10000, "epsilon": 3.0, "delta": 1e-5}


def measured(run):
    """The result of a call and its best CPU time in seconds."""
    best = math.inf
    for _ in range(3):
        start = time.process_time()
        result = run()
        best = min(best, time.process_time() - start)
        if best > 2:
            break
    return result, best


# Peers, each run inside its own environment: generators of (method, lower, upper, seconds).


def dp_accounting(case):
    import dp_accounting
    from dp_accounting import dp_event
    from dp_accounting.pld import PLDAccountant
    from dp_accounting.rdp import RdpAccountant

    if "laplace" in case:
        event = dp_event.LaplaceDpEvent(case["laplace"])
    elif case["q"] == 1:
        event = dp_event.GaussianDpEvent(case["sigma"])
    else:
        event = dp_event.PoissonSampledDpEvent(case["q"], dp_event.GaussianDpEvent(case["sigma"]))

    def by(make):
        return lambda: make().compose(event, case["steps"]).get_epsilon(case["delta"])

    for step in [1e-4, 1e-5]:
        try:
            yield (f"PLD, grid {step:g}", 0, *measured(by(lambda: PLDAccountant(value_discretization_interval=step))))
        except Exception as error:
            print(f"dp_accounting at {step}: {error}", file=sys.stderr)
    yield ("Rényi", 0, *measured(by(RdpAccountant)))


def calibrated_by_dp_accounting():
    import dp_accounting
    from dp_accounting import dp_event
    from dp_accounting.pld import PLDAccountant

    def event(sigma):
        one = dp_event.PoissonSampledDpEvent(CALIBRATION["q"], dp_event.GaussianDpEvent(sigma))
        return dp_event.SelfComposedDpEvent(one, CALIBRATION["steps"])

    sigma, seconds = measured(lambda: dp_accounting.calibrate_dp_mechanism(
        PLDAccountant, event, CALIBRATION["epsilon"], CALIBRATION["delta"]))
    return calibration_line("dp_accounting", float(sigma), seconds)


def prv_accountant(case):
    if "laplace" in case:
        from prv_accountant import LaplaceMechanism

        mechanism = LaplaceMechanism(mu=1 / case["laplace"])
    else:
        from prv_accountant import PoissonSubsampledGaussianMechanism

        mechanism = PoissonSubsampledGaussianMechanism(
            sampling_probability=case["q"], noise_multiplier=case["sigma"])
    from prv_accountant import PRVAccountant

    def run():
        accountant = PRVAccountant(
            prvs=[mechanism], max_self_compositions=[case["steps"]], eps_error=0.01, delta_error=case["delta"] / 1000)
        return accountant.compute_epsilon(delta=case["delta"], num_self_compositions=[case["steps"]])

    (lower, _, upper), seconds = measured(run)
    yield ("PRV, error 0.01", float(lower), float(upper), seconds)


def opacus(case):
    if "laplace" in case:
        return
    import sysconfig

    folder = pathlib.Path(sysconfig.get_path("purelib")) / "opacus"
    for name, path in [("opacus", folder), ("opacus.accountants", folder / "accountants")]:
        if name not in sys.modules:
            sys.modules[name] = types.ModuleType(name)
            sys.modules[name].__path__ = [str(path)]
    if "opacus.optimizers" not in sys.modules:
        # Named in a type annotation alone.
        sys.modules["opacus.optimizers"] = types.ModuleType("opacus.optimizers")
        sys.modules["opacus.optimizers"].DPOptimizer = object
    from opacus.accountants.analysis import prv, rdp

    q, sigma, steps, delta = (case[name] for name in ["q", "sigma", "steps", "delta"])

    def renyi():
        orders = [1 + x / 10.0 for x in range(1, 100)] + list(range(12, 64))
        curve = rdp.compute_rdp(q=q, noise_multiplier=sigma, steps=steps, orders=orders)
        return float(rdp.get_privacy_spent(orders=orders, rdp=curve, delta=delta)[0])

    def by_prv():
        one = prv.PoissonSubsampledGaussianPRV(q, sigma)
        size = prv.compute_safe_domain_size(
            prvs=[one], max_self_compositions=[steps], eps_error=0.01, delta_error=delta / 1000)
        mesh = 0.01 / math.sqrt(steps / 2 * math.log(12 / (delta / 1000)))
        domain = prv.Domain.create_aligned(-size, size, mesh)
        law = prv.discretize(prv.TruncatedPrivacyRandomVariable(one, domain.t_min, domain.t_max), domain)
        composed = prv.compose_heterogeneous(dprvs=[law], num_self_compositions=[steps])
        return composed.compute_epsilon(delta, delta / 1000, 0.01)

    yield ("Rényi", 0, *measured(renyi))
    if q < 1:
        (lower, _, upper), seconds = measured(by_prv)
        yield ("PRV, error 0.01", float(lower), float(upper), seconds)


def autodp(case):
    import warnings

    warnings.filterwarnings("ignore")
    from autodp import mechanism_zoo, transformer_zoo

    def run():
        if "laplace" in case:
            one = mechanism_zoo.LaplaceMechanism(b=case["laplace"])
        else:
            one = mechanism_zoo.GaussianMechanism(sigma=case["sigma"])
            if case["q"] < 1:
                one.replace_one = False
                one = transformer_zoo.AmplificationBySampling(PoissonSampling=True)(one, case["q"], improved_bound_flag=True)
        composed = transformer_zoo.Composition()([one], [case["steps"]])
        return float(composed.get_approxDP(case["delta"]))

    yield ("Rényi", 0, *measured(run))


def parley(command, case, accountant, step):
    if "laplace" in case:
        event = {"type": "laplace", "noise-multiplier": case["laplace"]}
    else:
        event = {"type": "gaussian", "noise-multiplier": case["sigma"]}
        if case["q"] < 1:
            event = {"type": "poisson-sampled", "rate": case["q"], "event": event}
    question = {
        "event": {"type": "repeated", "times": case["steps"], "event": event}, "delta": case["delta"],
        "accountant": accountant,
    }
    if step:
        question["grid-step"] = step
    line = json.dumps(question) + "\n"

    def run(lines):
        output, seconds = command_line([command, "privacy", "epsilon", "--batch"], line * lines)
        return json.loads(output.splitlines()[0]), seconds

    answer, one = min((run(1) for _ in range(3)), key=lambda result: result[1])
    # Starting up takes some 20 ms, give or take one.
    more = 1000 if one < 0.04 else 10 if one < 0.2 else 2
    many = min(run(1 + more)[1] for _ in range(2))
    return answer["epsilon_lower"], answer["epsilon_upper"], max(0, many - one) / more


def calibrated_by_parley(command):
    arguments = {
        "--epsilon": CALIBRATION["epsilon"], "--delta": CALIBRATION["delta"], "--sampling-rate": CALIBRATION["q"],
        "--steps": CALIBRATION["steps"], "--accountant": "pld",
    }
    words = [str(word) for pair in arguments.items() for word in pair]
    output, seconds = min(
        (command_line([command, "privacy", "noise"] + words) for _ in range(3)), key=lambda result: result[1])
    return calibration_line("Parley", float(re.search(r"[0-9.]+", output).group()), seconds)


def command_line(words, text=None):
    """What a command prints, and the CPU time that it takes."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(words, input=text, capture_output=True, text=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode != 0:
        raise RuntimeError(done.stdout + done.stderr)
    return done.stdout, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


PEERS = {"dp_accounting": dp_accounting, "prv_accountant": prv_accountant, "opacus": opacus, "autodp": autodp}


def run_peer(name):
    if name == "dp_accounting":
        tell(calibrated_by_dp_accounting())
    for case in CASES:
        try:
            for method, lower, upper, seconds in PEERS[name](case):
                tell(accounting_line(case["name"], name, method, lower, upper, seconds))
        except Exception as error:
            print(f"{name}, {case['name']}: {error!r}", file=sys.stderr)


def our_lines(command):
    yield calibrated_by_parley(command)
    for case in CASES:
        for method, accountant, step in [
            ("PLD, grid 0.0001", "pld", 1e-4), ("PLD, grid 1e-05", "pld", 1e-5), ("Rényi", "renyi", None),
        ]:
            yield accounting_line(case["name"], "Parley", method, *parley(command, case, accountant, step))


def accounting_line(case, library, method, lower, upper, seconds):
    return {
        "benchmark": "accounting", "case": case, "library": library, "method": method, "epsilon_lower": lower,
        "epsilon_upper": upper, "cpu_ms": round(seconds * 1000, 3),
    }


def calibration_line(library, sigma, seconds):
    return {
        "benchmark": "calibration", "case": CALIBRATION, "library": library, "method": "PLD, grid 0.0001", "sigma": sigma,
        "cpu_ms": round(seconds * 1000, 3),
    }


def table(rows):
    text = ["| case | library | method | epsilon | CPU time |", "|---|---|---|---|---|"]
    order = {case["name"]: place for place, case in enumerate(CASES)}
    cases = [row for row in rows if row.get("benchmark") == "accounting"]
    for row in sorted(cases, key=lambda row: (order[row["case"]], row["library"] != "Parley")):
        lower = f"{row['epsilon_lower']:.6f} to " if row["epsilon_lower"] > 0 else "at most "
        text.append(f"| {row['case']} | {row['library']} | {row['method']} | {lower}{row['epsilon_upper']:.6f} "
                    f"| {row['cpu_ms']:.3g} ms |")
    for row in rows:
        if row.get("benchmark") == "calibration":
            text.append(f"| calibration to epsilon 3, q 0.004, 10,000 steps | {row['library']} | {row['method']} "
                        f"| sigma {row['sigma']:.5f} | {row['cpu_ms']:.3g} ms |")
        elif "skipped" in row:
            text.append(f"| all | {row['library']} | {row['skipped']} | | |")
    return "\n".join(text)


def main():
    arguments = argparse.ArgumentParser(description="Accounting, beside other libraries.")
    arguments.add_argument("--parley", required=True, help="the parley executable, built for release")
    arguments.add_argument("--folder", help="where environments are kept; a temporary folder otherwise")
    chosen = arguments.parse_args()
    rows = []

    def take(line):
        rows.append(line)
        tell(line)

    for line in our_lines(chosen.parley):
        take(line)
    with Environments(chosen.folder) as environments:
        for peer in PEERS:
            for line in peer_lines(environments, peer, __file__, []):
                take(line)
    print("\n" + table(rows))


if __name__ == "__main__":
    if len(sys.argv) == 2 and sys.argv[1] in PEERS:
        run_peer(sys.argv[1])
    else:
        main()
