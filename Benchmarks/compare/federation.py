"""A federated round, by secure aggregation of ten clients and by plain averaging, beside Flower: in one process, on one thread.

    federation.py [--parley-bench PATH] [--folder FOLDER] [--cases secagg_10 plain_100 plain_10_large] [--rounds N]

One JSON object a line, then a table in Markdown with the median of the rounds, in which Parley and Flower take turns; each
figure from a process of its own, so that its memory is its own. Without --parley-bench, Flower alone.

secagg_10: ten clients, 1e5 float32 parameters, no drop-out, any 7 of 10 shares rebuild a secret. Flower's SecAggPlusWorkflow, run
by its DefaultWorkflow on a Grid of ours, which hands each message to a ClientApp with secaggplus_mod and its answer back.
Messages cross as bytes, made and read as Flower's HttpGrid does (objects named by their SHA-256), but no SuperLink stores or
checks them, none waits, and nothing is trained: clients have their update ready. All clients' and the server's work, in turn.

plain_100, plain_10_large: 100 clients of 1e5, and 10 of 1e7, float32 parameters in one array. Flower's averages, three ways:
aggregate_fit       FedAvg.aggregate_fit (flwr.server), from FitRes with serialised Parameters to serialised Parameters
bytes_to_fit        the same from the bytes of messages, as HttpGrid reads them, and default_fit_workflow makes a FitRes of each
bytes_to_train      from the bytes of messages to an ArrayRecord, by FedAvg.aggregate_train (flwr.serverapp), its newer strategy

Figures are of the second of two rounds in a process, since memory that a process has used before costs less; `first_` of the
first. The average is held against the one that NumPy computes.
"""

import argparse
import gc
import json
import os
import pickle
import resource
import statistics
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
from environment import Environments, peer_lines, tell

# Clients, parameters of each.
CASES = {"secagg_10": (10, 100_000), "plain_100": (100, 100_000), "plain_10_large": (10, 10_000_000)}
WAYS = {"secagg_10": ["secagg_plus"], **dict.fromkeys(
    ["plain_100", "plain_10_large"], ["aggregate_fit", "bytes_to_fit", "bytes_to_train"])}
SHARES, THRESHOLD = 10, 7


def main():
    arguments = argparse.ArgumentParser(description="A federated round, beside Flower.")
    arguments.add_argument("--parley-bench", help="the parley-bench executable, built for release; Flower alone without")
    arguments.add_argument("--folder", help="where environments are kept; a temporary folder otherwise")
    arguments.add_argument("--cases", nargs="*", choices=list(CASES), default=list(CASES))
    arguments.add_argument("--rounds", type=int, default=3)
    chosen = arguments.parse_args()
    lines = []
    with Environments(chosen.folder) as environments:
        for case in chosen.cases:
            for _ in range(chosen.rounds):
                found = list(ours(chosen.parley_bench, case)) if chosen.parley_bench else []
                for way in WAYS[case]:
                    found += peer_lines(environments, "flwr", __file__, [case, way])
                for line in found:
                    lines.append({"bench": "federation", "case": case} | line)
                    tell(lines[-1])
    print("\n" + table(lines))


def ours(bench, case):
    """Parley's own. Of secure aggregation one client and the server are measured: ten times the one, and the other."""
    output = subprocess.run([bench, "child", "federation", case], check=True, stdout=subprocess.PIPE, text=True).stdout
    for line in map(json.loads, output.splitlines()):
        if line["bench"] != case:
            continue
        if case == "secagg_10":
            spent = {key: 10 * line[f"client_{key}_s"] + line[f"server_{key}_s"] for key in ("cpu", "wall")}
        else:
            spent = {key: line[f"{key}_s"] for key in ("cpu", "wall")}
        yield {"library": "Parley", "wall_ms": round(spent["wall"] * 1000, 1), "cpu_ms": round(spent["cpu"] * 1000, 1),
               "peak_mb": round(line["peak_mb"])}


def cpu_seconds():
    """Of this process with all its threads, and of its children."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def peak_mb():
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def timed(work):
    """What `work` returns, and its figures."""
    before, wall, cpu = peak_mb(), time.perf_counter(), cpu_seconds()
    result = work()
    wall, cpu = time.perf_counter() - wall, cpu_seconds() - cpu
    return result, {"wall_ms": round(wall * 1000, 1), "cpu_ms": round(cpu * 1000, 1), "peak_mb": peak_mb(),
                    "peak_before_mb": before}


def peer(case, way):
    """In Flower's environment, in a process of its own."""
    import logging

    # No report of use, before the import.
    os.environ["FLWR_TELEMETRY_ENABLED"] = "0"
    import flwr
    from flwr.supercore.task_identity import TaskIdentity

    logging.getLogger("flwr").setLevel(logging.ERROR)
    TaskIdentity.task_id, TaskIdentity.run_id, TaskIdentity.node_id = 1, 1, 1
    clients, parameters = CASES[case]
    figures = secure(clients, parameters) if case == "secagg_10" else plain(way, clients, parameters)
    tell({"library": "Flower " + flwr.__version__, "way": way} | figures)


def updates(clients, parameters):
    """Each client's update and number of examples, one at a time."""
    import numpy

    generator = numpy.random.default_rng(7)
    for client in range(clients):
        yield (generator.random(parameters, dtype=numpy.float32) - 0.5) * 0.2, 50 + client


def check(result, clients, parameters, tolerance):
    import numpy

    total = sum(examples for _, examples in updates(clients, parameters))
    expected = numpy.zeros(parameters)
    for update, examples in updates(clients, parameters):
        expected += update * (examples / total)
    if result.shape != expected.shape or numpy.abs(result - expected).max() > tolerance:
        sys.exit("Flower's average is not the average")


def packed(message):
    """The message as HttpGrid pushes it: its name, and each of its objects as bytes under its own."""
    from flwr.supercore.inflatable.inflatable_object import get_all_nested_objects, no_object_id_recompute

    with no_object_id_recompute():
        name = message.metadata.__dict__["_message_id"] = message.object_id
        return name, {key: value.deflate() for key, value in get_all_nested_objects(message).items()}


def unpacked(name, objects):
    """As HttpGrid pulls it; empties `objects`."""
    from flwr.supercore.inflatable.inflatable_utils import inflate_object_from_contents

    message = inflate_object_from_contents(name, objects)
    message.metadata.__dict__["_message_id"] = name
    return message


def apart(made):
    """What `made` yields, made in a process of its own, so that this one's peak knows nothing of the making."""
    with tempfile.TemporaryFile() as file:
        child = os.fork()
        if child == 0:
            try:
                for one in made():
                    pickle.dump(one, file)
                file.flush()
                os._exit(0)
            finally:
                os._exit(1)
        if os.waitpid(child, 0)[1] != 0:
            sys.exit("the messages could not be made")
        file.seek(0)
        found = []
        while file.peek(1):
            found.append(pickle.load(file))
        return found


def secure(clients, parameters):
    import numpy
    from flwr.app import Context, RecordDict
    from flwr.client import NumPyClient
    from flwr.client.mod import secaggplus_mod
    from flwr.clientapp import ClientApp
    from flwr.common import ndarrays_to_parameters, parameters_to_ndarrays
    from flwr.compat.common.recorddict_compat import arrayrecord_to_parameters
    from flwr.server import ServerConfig
    from flwr.server.compat.legacy_context import LegacyContext
    from flwr.server.strategy import FedAvg
    from flwr.server.workflow import DefaultWorkflow, SecAggPlusWorkflow
    from flwr.server.workflow.constant import MAIN_PARAMS_RECORD
    from flwr.serverapp import Grid
    from flwr.supercore.run import Run

    class Ready(NumPyClient):
        """A client whose training is done."""

        def __init__(self, update, examples):
            self.update, self.examples = update, examples

        def fit(self, parameters, config):
            return [self.update], self.examples, {}

    def application(client):
        def client_fn(context: Context):
            return client

        return ClientApp(client_fn, mods=[secaggplus_mod])

    def context(node):
        return Context(run_id=1, node_id=node, node_config={}, state=RecordDict(), run_config={})

    class Wire(Grid):
        """Hands messages, as bytes, to clients in this process."""

        def __init__(self):
            self.clients = {}
            for node, (update, examples) in enumerate(updates(clients, parameters), 1001):
                self.clients[node] = (application(Ready(update, examples).to_client()), context(node))
            self.forget()

        def forget(self):
            self.cpu, self.stages, self.sent, self.received = 0, [], 0, 0

        def send_and_receive(self, messages, *, timeout=None):
            start = cpu_seconds()
            answers = []
            for message in messages:
                app, state = self.clients[message.metadata.dst_node_id]
                answers.append(self.across(app(self.across(message, False), state), True))
            self.stages.append(round((cpu_seconds() - start) * 1000, 1))
            return answers

        def across(self, message, is_answer):
            start = cpu_seconds()
            name, objects = packed(message)
            size = sum(map(len, objects.values()))
            if is_answer:
                self.sent += size
            else:
                self.received += size
            result = unpacked(name, objects)
            self.cpu += cpu_seconds() - start
            return result

        run = property(lambda self: Run.create_empty(1))

        def get_node_ids(self):
            return list(self.clients)

        def set_run(self, run):
            raise NotImplementedError

        create_message = push_messages = pull_messages = set_run

    wire = Wire()
    secagg = SecAggPlusWorkflow(num_shares=SHARES, reconstruction_threshold=THRESHOLD)
    rounds = []

    def fit(grid, server):
        wire.forget()
        rounds.append(timed(lambda: secagg(grid, server))[1])

    server = LegacyContext(context(1), ServerConfig(num_rounds=2), FedAvg(
        fraction_fit=1.0, fraction_evaluate=0.0, min_fit_clients=clients, min_available_clients=clients,
        initial_parameters=ndarrays_to_parameters([numpy.zeros(parameters, numpy.float32)])))
    DefaultWorkflow(fit_workflow=fit)(wire, server)
    result, = parameters_to_ndarrays(arrayrecord_to_parameters(server.state.array_records[MAIN_PARAMS_RECORD], True))
    # A step of its quantiser, for the least weight.
    check(result, clients, parameters, 16 / 2**22 / 0.05)
    keys, shares, masked, unmasked = wire.stages
    return rounds[-1] | {
        "clients_cpu_ms": {"keys": keys, "shares": shares, "masked": masked, "unmask": unmasked},
        "server_cpu_ms": round(rounds[-1]["cpu_ms"] - sum(wire.stages), 1),
        # A part of what the stages took.
        "wire_cpu_ms": round(wire.cpu * 1000, 1),
        "sent_kb_a_client": round(wire.sent / clients / 1000), "received_kb_a_client": round(wire.received / clients / 1000)}


def plain(way, clients, parameters):
    from flwr.app import ArrayRecord, Message, MessageType, MetricRecord, RecordDict
    from flwr.common import Code, FitRes, Status, ndarrays_to_parameters, parameters_to_ndarrays
    from flwr.compat.common.recorddict_compat import fitres_to_recorddict, recorddict_to_fitres
    from flwr.server.strategy import FedAvg
    from flwr.serverapp.strategy import FedAvg as MessageFedAvg

    def answers():
        for node, (update, examples) in enumerate(updates(clients, parameters), 1001):
            if way == "bytes_to_train":
                content = RecordDict({"arrays": ArrayRecord([update]), "metrics": MetricRecord({"num-examples": examples})})
            else:
                content = FitRes(Status(Code.OK, ""), ndarrays_to_parameters([update]), examples, {})
            if way == "aggregate_fit":
                yield content
                continue
            if way == "bytes_to_fit":
                content = fitres_to_recorddict(content, False)
            asked = Message(RecordDict(), node, MessageType.TRAIN, group_id="1")
            asked.metadata.__dict__["_message_id"] = str(node)
            yield packed(Message(content, reply_to=asked))

    def read():
        # Its bytes go once a message is read, as in HttpGrid.pull_messages.
        while received:
            name, objects = received.pop(0)
            yield unpacked(name, objects)

    def aggregate():
        if way == "bytes_to_train":
            return MessageFedAvg(fraction_evaluate=0.0).aggregate_train(1, list(read()))[0]
        if way == "aggregate_fit":
            results = [(None, result) for result in received]
        else:
            messages = list(read())
            results = [(None, recorddict_to_fitres(message.content, False)) for message in messages]
        return FedAvg(fraction_evaluate=0.0).aggregate_fit(1, results, [])[0]

    received, rounds = [], []
    for _ in range(2):
        average = None
        received.clear()
        gc.collect()
        received += apart(answers)
        average, figures = timed(aggregate)
        rounds.append(figures)
    result, = average.to_numpy_ndarrays() if way == "bytes_to_train" else parameters_to_ndarrays(average)
    check(result, clients, parameters, 1e-6)
    first, second = rounds
    return second | {"peak_before_mb": first["peak_before_mb"], "first_cpu_ms": first["cpu_ms"],
                     "first_peak_mb": first["peak_mb"]}


def table(lines):
    text = ["| case | library | way | CPU ms | wall ms | peak MB |", "|---|---|---|---|---|---|"]
    kinds = {}
    for line in lines:
        if "skipped" not in line:
            kinds.setdefault((line["case"], line["library"], line.get("way", "")), []).append(line)
    for (case, library, way), found in kinds.items():
        def middle(key):
            values = [line[key] for line in found if key in line]
            return f"{statistics.median(values):.4g}" if values else ""
        text.append(f"| {case} | {library} | {way} | {middle('cpu_ms')} | {middle('wall_ms')} | {middle('peak_mb')} |")
    text += [f"| {line['case']} | {line['library']} | | {line['skipped']} | | |" for line in lines if "skipped" in line]
    return "\n".join(text)


if __name__ == "__main__":
    if len(sys.argv) == 4 and sys.argv[1] == "flwr":
        peer(sys.argv[2], sys.argv[3])
    else:
        main()
