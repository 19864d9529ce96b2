"""Computation on secret values beside CrypTen and SPU: ReLU, a product of matrices, LeNet, an epoch of logistic regression.

    computation.py --parley-bench PATH [--folder FOLDER] [--cases relu-1e6 product-1024 lenet-batch-1 ...]

One JSON object a line for each peer and case, then one a case with all beside each other, then a table in Markdown. Peers:
CrypTen with two parties, whose multiplication triples come from its trusted first party, its default: they are drawn from
seeds while the clock runs, one of the two parties knows them all, and nobody sends them. SPU with SEMI2K for two parties, whose
triples come from a trusted first party in the same way, its default too (`BeaverTfpUnsafe`), and with ABY3 for three, which
needs none. Each party is a process of its own on one core and one thread, connected by TCP on loopback; on a machine with fewer
cores than parties they share, so look at CPU seconds. Inputs are secret shares before the clock starts, and the result is shares
when it stops. A case's name holds its size, so that `--cases relu-1e3` tries one in a moment; results are compared with those in
the clear.

Ours are the lines of `parley-bench computation`: CPU seconds of each party and of the dealer, one after the other in one
process, its messages made and read as bytes but sent through no socket. Lines whose names begin with `three-` stand
beside ABY3: the CPU seconds of the party that took most. Their product is that of the ring alone, and the peers' is rescaled too; their LeNet ends with the largest score's
place, told to one party, and the peers' with shares of scores. The logistic regression is one full-batch step on the breast
cancer data (569 rows of 30 features and a one, divided by rows for ours), from shares to shares, with each library's own sigmoid;
ours is an epoch of a run of fifty, as a difference of two runs, and its weights are opened in the end alone. LeNet is a convolution, ReLU, the greatest of 2 x 2, twice, then
two layers; the greatest before ReLU is the same and cheaper, which is what ours does: `lenet-pooled` is that order for peers.
"""

import argparse
import json
import os
import pathlib
import pickle
import re
import socket
import stat
import struct
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
from environment import Environments, peer_lines, tell

# How often each is run, after once to warm up: the best counts, as for ours.
CASES = {"relu-1e6": 2, "product-1024": 2, "lenet-batch-1": 3, "lenet-batch-32": 1,
         "lenet-pooled-batch-1": 3, "lenet-pooled-batch-32": 1, "logistic-569": 5}
# For each protocol: the environment, and the parties.
PROTOCOLS = {"beaver": ("crypten", 2), "semi2k": ("spu", 2), "aby3": ("spu", 3)}
PATIENCE = 1800
# Of an epoch's step.
RATE = 8
# Lines of `parley-bench computation` that are of an epoch.
JOINT = {"joint-logistic-two": "two parties", "joint-logistic-three": "three parties"}


def main():
    arguments = argparse.ArgumentParser(description="Computation on secret values, beside CrypTen and SPU.")
    arguments.add_argument("--parley-bench", required=True, help="the parley-bench executable, built for release")
    arguments.add_argument("--folder", help="where environments are kept; a temporary folder otherwise")
    arguments.add_argument("--cases", nargs="*", default=list(CASES), help="names that hold sizes, such as " + ", ".join(CASES))
    chosen = arguments.parse_args()
    lines = list(ours(chosen.parley_bench))
    for line in lines:
        tell(line)
    with Environments(chosen.folder) as environments:
        for protocol, (peer, _) in PROTOCOLS.items():
            for line in peer_lines(environments, peer, __file__, [protocol] + chosen.cases):
                lines.append({"bench": "computation", "protocol": protocol} | line)
                tell(lines[-1])
    compared = [beside(case, lines) for case in chosen.cases]
    for line in compared:
        tell(line)
    print("\n" + table(lines, chosen.cases))


def ours(bench):
    """Ours in the peers' words. The dealer sends what it makes beforehand: `correlation_mb`."""
    process = subprocess.run([bench, "computation"], stdout=subprocess.PIPE, text=True)
    if process.returncode != 0:
        yield {"bench": "computation", "library": "Parley", "skipped": f"failed with status {process.returncode}"}
    for line in process.stdout.splitlines():
        found = json.loads(line) if line.startswith("{") else {}
        if found.get("bench") in JOINT:
            yield {
                "bench": "computation", "library": "Parley", "protocol": JOINT[found["bench"]], "case": "logistic-569",
                "cpu_s": [found[key] / 1e3 for key in ("first_ms_epoch", "second_ms_epoch", "third_ms_epoch") if key in found],
                "dealer_cpu_s": found["dealer_ms_epoch"] / 1e3, "rounds": found["rounds_epoch"], "mb": found["bytes_epoch"] / 1e6,
                "correlation_mb": found["key_bytes_epoch"] / 1e6}
        name = found.get("bench", "").removeprefix("three-")
        case = next((case for case in CASES if name == case or name.startswith(case + "-")), None)
        # The parties' fields, whatever they are called: first_cpu_s, second_cpu_s ...
        cpu = [value for key, value in found.items() if key.endswith("cpu_s") and key != "dealer_cpu_s"]
        if case and cpu:
            way = "two parties" if name == found["bench"] else "three parties"
            way += name[len(case):].replace("-", ", ", 1).replace("-", " ")
            yield {
                "bench": "computation", "library": "Parley", "protocol": way, "case": case, "cpu_s": cpu,
                "dealer_cpu_s": found.get("dealer_cpu_s", 0), "rounds": found.get("rounds"),
                "mb": next((value for key, value in found.items() if key.startswith("mb")), None),
                "correlation_mb": sum(value for key, value in found.items() if key.startswith("correlation_mb"))}


def beside(case, lines):
    """All of a case beside each other. Ratios above 1 are ours smaller: of all processes' CPU seconds, dealers included; of the
    busiest party's, without our dealer; of the bytes between parties; and of those with our dealer's."""
    found = {"bench": "computation_" + case.replace("-", "_"), "load": round(os.getloadavg()[0], 1)}
    same = case.replace("-pooled", "")
    own = {line["protocol"]: line for line in lines if line.get("case") == same and line["library"] == "Parley"}
    for line in list(own.values()) + [line for line in lines if line.get("case") == case and line["library"] != "Parley"]:
        name = f"{line['library']}, {line['protocol']}"
        found[name] = {key: value for key, value in line.items() if key not in ("bench", "library", "protocol", "case", "load")}
        mine = own.get("three parties" if line["protocol"] == "aby3" else "two parties", own.get("two parties"))
        if mine and line["library"] != "Parley":
            found[name]["ratios"] = ratios(line, mine) | {"to": mine["protocol"]}
    return found


def ratios(peer, mine):
    every = sum(mine["cpu_s"]) + mine["dealer_cpu_s"]
    result = {"cpu": sum(peer["cpu_s"]) / every, "busiest_party_cpu": max(peer["cpu_s"]) / max(mine["cpu_s"])}
    if mine["mb"] and peer["mb"]:
        result |= {"mb": peer["mb"] / mine["mb"], "mb_with_correlations": peer["mb"] / (mine["mb"] + mine["correlation_mb"])}
    return {key: float(f"{value:.3g}") for key, value in result.items()}


def table(lines, cases):
    text = ["| case | library | wall s | CPU s of each party | dealer's CPU s | MB between parties | dealt MB | rounds |",
            "|---|---|---|---|---|---|---|---|"]

    def figure(value):
        return "" if value is None else f"{value:.3g}"
    for case in cases:
        for line in lines:
            if line.get("case") == case:
                each = ", ".join(figure(value) for value in line["cpu_s"])
                rounds = f"{line['sends']} sends" if "sends" in line else figure(line.get("rounds"))
                text.append(f"| {case} | {line['library']}, {line['protocol']} | {figure(line.get('wall_s'))} | {each} "
                            f"| {figure(line.get('dealer_cpu_s'))} | {figure(line['mb'])} | {figure(line.get('correlation_mb'))} "
                            f"| {rounds} |")
    text += [f"| | {line['library']} | {line['skipped']} | | | | | |" for line in lines if "skipped" in line]
    return "\n".join(text)


# In the peers' environments.


def logistic_step(sigmoid, x, y, w):
    """Weights behind a full-batch step."""
    return w - x.T @ (sigmoid(x @ w) - y) * (RATE / x.shape[0])


def values(case):
    """The inputs of a case, from a fixed seed: the first party's, then the second's."""
    import numpy

    draw = numpy.random.default_rng(7)

    def uniform(bound, *shape):
        return draw.uniform(-bound, bound, shape).astype(numpy.float32)
    kind, size = case.split("-", 1)[0], int(float(case.rsplit("-", 1)[1]))
    if kind == "relu":
        return [uniform(5, size)]
    if kind == "logistic":
        file = pathlib.Path(__file__).resolve().parents[2] / "Tests/SecureStatisticsTests/Resources/breast-cancer.csv"
        table = numpy.genfromtxt(file, delimiter=",", skip_header=2, dtype=numpy.float64)[:size]
        low, high = table[:, :-1].min(0), table[:, :-1].max(0)
        rows = numpy.column_stack([(2 * table[:, :-1] - low - high) / (high - low), numpy.ones(len(table))])
        return [rows.astype(numpy.float32), table[:, -1:].astype(numpy.float32), uniform(0.1, rows.shape[1], 1)]
    if kind == "product":
        return [uniform(1, size, size), uniform(1, size, size)]
    # As PyTorch draws weights; the convolutions' are (outputs, inputs, 5, 5), the others' (outputs, inputs).
    shapes = [(20, 1, 5, 5), (50, 20, 5, 5), (500, 800), (10, 500)]
    return [abs(uniform(1, size, 1, 28, 28))] + [uniform((shape[0] / numpy.prod(shape)) ** 0.5, *shape) for shape in shapes]


def drive(protocol, cases):
    """Starts the parties, waits for them, and prints a line for each case."""
    peer, parties = PROTOCOLS[protocol]
    with tempfile.TemporaryDirectory(prefix="parley-computation-") as folder:
        folder = pathlib.Path(folder)
        if peer == "spu":
            spu_prepare(protocol, cases, folder)
        processes = []
        for rank in range(parties):
            command = [sys.executable, __file__, "party", protocol, str(rank), str(folder)] + cases
            with open(folder / f"{rank}.log", "w") as log:
                processes.append(subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log))
        if not succeeded(processes):
            for rank in range(parties):
                print(f"party {rank}: " + (folder / f"{rank}.log").read_text(errors="replace")[-2000:], file=sys.stderr)
            sys.exit(1)
        found = [json.loads((folder / f"{rank}.json").read_text()) for rank in range(parties)]
        counted = [spu_counts(folder / f"{rank}.log") for rank in range(parties)] if peer == "spu" else []
        for index, case in enumerate(cases):
            lines = [party[index] for party in found]
            runs = range(len(lines[0]["cpu_s"]))
            line = {
                "library": lines[0]["library"], "case": case,
                "wall_s": min(max(party["wall_s"][run] for party in lines) for run in runs),
                "cpu_s": [min(party["cpu_s"]) for party in lines], "mb": sum(party["mb"] for party in lines),
                "load": round(os.getloadavg()[0], 1)}
            if peer == "spu":
                line |= spu_checked(protocol, case, folder)
                own = [counts[index] for counts in counted if len(counts) == len(cases)]
                if len(own) == parties:
                    line |= {"mb_as_counted": sum(sent for sent, _ in own) / 1e6, "sends": max(sends for _, sends in own)}
            else:
                line |= {"mb_as_counted": sum(party["counted"] for party in lines) / 2e6, "rounds": lines[0]["rounds"]}
                line |= lines[0]["checked"]
            tell(rounded(line))


def succeeded(processes):
    """Waits for all; where one fails or they take too long, ends the others."""
    end = time.monotonic() + PATIENCE
    try:
        while any(process.poll() is None for process in processes):
            if any(process.poll() for process in processes) or time.monotonic() > end:
                break
            time.sleep(0.1)
    finally:
        for process in processes:
            if process.poll() is None:
                process.kill()
                process.wait()
    return all(process.returncode == 0 for process in processes)


def rounded(line):
    def short(value):
        return float(f"{value:.4g}") if isinstance(value, float) else value
    return {key: [short(each) for each in value] if isinstance(value, list) else short(value) for key, value in line.items()}


def checked(result, expected):
    """How far a result is from the one in the clear: approximate truncation may go wrong for a few entries."""
    import numpy

    errors = numpy.abs(numpy.asarray(result, numpy.float64) - numpy.asarray(expected, numpy.float64)).reshape(-1)
    if numpy.quantile(errors, 0.99) > 0.05:
        sys.exit(f"a result is not what it is in the clear: errors of {numpy.quantile(errors, 0.99)}")
    return {"median_error": float(numpy.median(errors)), "off_by_more_than_0.05": int((errors > 0.05).sum())}


def measured(run, barrier, runs):
    """Seconds of each run by the clock and of this process, all threads; and the megabytes that came to it in the last."""
    found = {"wall_s": [], "cpu_s": []}
    for _ in range(runs):
        barrier()
        before = received(), time.perf_counter(), time.process_time()
        found["result"] = run()
        found["wall_s"].append(time.perf_counter() - before[1])
        found["cpu_s"].append(time.process_time() - before[2])
        found["mb"] = (received() - before[0]) / 1e6
    return found


def received():
    """Bytes that came through this process's open TCP sockets, as the kernel counts them (tcpi_bytes_received)."""
    total = 0
    for name in os.listdir("/proc/self/fd"):
        try:
            if not stat.S_ISSOCK(os.fstat(int(name)).st_mode):
                continue
            with socket.socket(fileno=os.dup(int(name))) as copy:
                information = copy.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 136)
                total += struct.unpack_from("=Q", information, 128)[0]
        except OSError:
            # Closed meanwhile, or not one of TCP.
            pass
    return total


def party(protocol, rank, folder, cases):
    """One party, on one core: leaves its figures in the folder."""
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[rank % len(cores)]})
    lines = (crypten_party if protocol == "beaver" else spu_party)(protocol, rank, folder, cases)
    (folder / f"{rank}.json").write_text(json.dumps(list(lines)))
    # Neither library's threads end quietly when the other side is gone first.
    os._exit(0)


def crypten_party(_, rank, folder, cases):
    import types
    import warnings

    warnings.simplefilter("ignore")
    # CrypTen 0.4.1 imports a module, for ONNX, that PyTorch has since removed. Nothing here uses it.
    sys.modules["torch.onnx.symbolic_registry"] = types.ModuleType("torch.onnx.symbolic_registry")
    os.environ |= {"WORLD_SIZE": "2", "RANK": str(rank), "RENDEZVOUS": f"file://{folder}/rendezvous", "GLOO_SOCKET_IFNAME": "lo"}
    import crypten
    import torch

    torch.set_num_threads(1)
    crypten.init()
    communicator = crypten.communicator.get()
    crypten.cfg.communicator.verbose = True
    library = f"CrypTen {crypten.__version__} (PyTorch {torch.__version__})"
    for case in cases:
        tensors = [torch.from_numpy(value) for value in values(case)]
        with crypten.no_grad():
            run, expected = crypten_case(case, crypten, torch, tensors)
            run()

            def counted():
                communicator.reset_communication_stats()
                return run()
            found = measured(counted, communicator.barrier, CASES.get(case, 1))
            own = communicator.get_communication_stats()
            # Its own decoding takes some negative numbers for others: it divides them by the scale less one.
            result = found.pop("result").reveal().double() / 2**crypten.cfg.encoder.precision_bits
        yield {"library": library, "counted": own["bytes"], "rounds": own["rounds"], "checked": checked(result, expected)} | found


def crypten_case(case, crypten, torch, tensors):
    """What runs on shares, and the result in the clear."""
    if case.startswith("relu"):
        x = crypten.cryptensor(tensors[0], src=0)
        return x.relu, tensors[0].relu()
    if case.startswith("product"):
        a, b = crypten.cryptensor(tensors[0], src=0), crypten.cryptensor(tensors[1], src=1)
        return lambda: a.matmul(b), tensors[0] @ tensors[1]

    if case.startswith("logistic"):
        x, y, w = (crypten.cryptensor(tensor, src=0) for tensor in tensors)
        turned, step = x.t(), RATE / len(tensors[0])
        return lambda: w - turned.matmul(x.matmul(w).sigmoid() - y) * step, logistic_step(torch.sigmoid, *tensors)

    def network(nn):
        def smaller():
            return [nn.MaxPool2d(2), nn.ReLU()] if "pooled" in case else [nn.ReLU(), nn.MaxPool2d(2)]
        return nn.Sequential(
            nn.Conv2d(1, 20, 5, bias=False), *smaller(), nn.Conv2d(20, 50, 5, bias=False), *smaller(),
            nn.Flatten(), nn.Linear(800, 500, bias=False), nn.ReLU(), nn.Linear(500, 10, bias=False))
    secret, clear = network(crypten.nn), network(torch.nn)
    for own, plain, weights in zip(secret.parameters(), clear.parameters(), tensors[1:]):
        own.data.copy_(weights)
        plain.data.copy_(weights)
    secret.eval()
    secret.encrypt(src=1)
    images = crypten.cryptensor(tensors[0], src=0)
    return lambda: secret(images), clear(tensors[0]).detach()


def spu_configuration(protocol, profiles=False):
    from spu import libspu

    result = libspu.RuntimeConfig(protocol=getattr(libspu.ProtocolKind, protocol.upper()), field=libspu.FieldType.FM64)
    result.enable_pphlo_profile = profiles
    return result


def spu_case(case):
    """The function in JAX, and its arguments: channels last, as SPU's own examples have them."""
    import jax
    import jax.numpy as jnp

    arguments = values(case)
    if case.startswith("relu"):
        return lambda x: jnp.maximum(x, 0), arguments
    if case.startswith("product"):
        return jnp.matmul, arguments
    if case.startswith("logistic"):
        return lambda x, y, w: logistic_step(jax.nn.sigmoid, x, y, w), arguments

    def convolution(x, kernel):
        return jax.lax.conv_general_dilated(x, kernel, (1, 1), "VALID", dimension_numbers=("NHWC", "HWIO", "NHWC"))

    def pool(x):
        return jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")

    def smaller(x):
        return jnp.maximum(pool(x), 0) if "pooled" in case else pool(jnp.maximum(x, 0))

    def lenet(x, one, two, three, four):
        x = smaller(convolution(smaller(convolution(x, one)), two))
        return jnp.maximum(x.reshape(x.shape[0], -1) @ three, 0) @ four
    images, one, two, three, four = arguments
    return lenet, [images.transpose(0, 2, 3, 1), one.transpose(2, 3, 1, 0), two.transpose(2, 3, 1, 0), three.T, four.T]


def spu_prepare(protocol, cases, folder):
    """Compiles each case and makes the shares of its inputs: a file for each party, as each would have been sent."""
    import spu
    from spu import libspu
    from spu.utils import frontend

    parties = PROTOCOLS[protocol][1]
    listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(parties)]
    addresses = ["127.0.0.1:%d" % listener.getsockname()[1] for listener in listeners]
    (folder / "addresses.json").write_text(json.dumps(addresses))
    for listener in listeners:
        listener.close()
    io = spu.Io(parties, spu_configuration(protocol))
    for case in cases:
        function, arguments = spu_case(case)
        names = [f"in{index}" for index in range(len(arguments))]
        secret = [libspu.Visibility.VIS_SECRET] * len(arguments)
        executable, _ = frontend.compile(
            frontend.Kind.JAX, function, arguments, {}, names, secret, lambda outputs: [f"out{i}" for i in range(len(outputs))])
        shares = [io.make_shares(value, libspu.Visibility.VIS_SECRET) for value in arguments]
        program = executable.name, executable.input_names, executable.output_names, executable.code
        for rank in range(parties):
            own = [(each[rank].meta, each[rank].share_chunks) for each in shares]
            (folder / f"{case}-{rank}.pickle").write_bytes(pickle.dumps((program, own)))


def spu_share(libspu, parts):
    result = libspu.Share()
    result.meta, result.share_chunks = parts
    return result


def spu_party(protocol, rank, folder, cases):
    import spu
    from spu import libspu

    description = libspu.link.Desc()
    description.recv_timeout_ms = PATIENCE * 1000
    for index, address in enumerate(json.loads((folder / "addresses.json").read_text())):
        description.add_party(f"party{index}", address)
    link = libspu.link.create_brpc(description, rank)
    for case in cases:
        (name, inputs, outputs, code), own = pickle.loads((folder / f"{case}-{rank}.pickle").read_bytes())
        executable = libspu.Executable(name=name, input_names=inputs, output_names=outputs, code=code)

        def runtime(profiles):
            result = spu.Runtime(link, spu_configuration(protocol, profiles))
            for name, parts in zip(inputs, own):
                result.set_var(name, spu_share(libspu, parts))
            return result
        # To warm up, and for the log of what was sent, which spu_counts reads.
        runtime(True).run(executable)
        machine = runtime(False)
        found = measured(lambda: machine.run(executable), link.barrier, CASES.get(case, 1))
        found.pop("result")
        result = machine.get_var(outputs[0])
        (folder / f"{case}-{rank}.result").write_bytes(pickle.dumps((result.meta, result.share_chunks)))
        yield {"library": f"SPU {spu.__version__}"} | found
    link.barrier()


def spu_counts(log):
    """From a party's log, for each case: bytes sent and how many sends."""
    pattern = r"Link details: total send bytes (\d+), recv bytes \d+, send actions (\d+)"
    return [(int(sent), int(sends)) for sent, sends in re.findall(pattern, log.read_text(errors="replace"))]


def spu_checked(protocol, case, folder):
    import numpy
    import spu
    from spu import libspu

    parts = [pickle.loads((folder / f"{case}-{rank}.result").read_bytes()) for rank in range(PROTOCOLS[protocol][1])]
    io = spu.Io(len(parts), spu_configuration(protocol))
    function, arguments = spu_case(case)
    return checked(io.reconstruct([spu_share(libspu, each) for each in parts]), numpy.asarray(function(*arguments)))


if __name__ == "__main__":
    if sys.argv[1:2] == ["party"]:
        party(sys.argv[2], int(sys.argv[3]), pathlib.Path(sys.argv[4]), sys.argv[5:])
    elif sys.argv[1:2] in (["crypten"], ["spu"]):
        drive(sys.argv[2], sys.argv[3:])
    else:
        main()
