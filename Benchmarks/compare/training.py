"""Training, samples a second on one thread, beside PyTorch (plain) and Opacus (private), in alternation.

    training.py --parley-bench PATH [--folder FOLDER] [--models mlp cnn resnet18] [--rounds N]

One JSON object a line, then a table in Markdown. CPU seconds, not wall time; each model of each library in a process of its
own, so that its memory is its own. Rows are made up: speed does not depend on them. Private: clipping and noise at rate 1,
so that each step takes the same rows.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time

sys.dont_write_bytecode = True
from environment import Environments, peer_lines, tell

# Batch, timed steps.
MODELS = {"mlp": (1024, 40), "cnn": (256, 10), "resnet18": (8, 2)}
WAYS = ["plain", "ghost", "exact"]


def main():
    arguments = argparse.ArgumentParser(description="Training, beside PyTorch and Opacus.")
    arguments.add_argument("--parley-bench", required=True, help="the parley-bench executable, built for release")
    arguments.add_argument("--folder", help="where environments are kept; a temporary folder otherwise")
    arguments.add_argument("--models", nargs="*", choices=list(MODELS), default=list(MODELS))
    arguments.add_argument("--rounds", type=int, default=3)
    chosen = arguments.parse_args()
    lines = []
    with Environments(chosen.folder) as environments:
        for model in chosen.models:
            for _ in range(chosen.rounds):
                found = list(ours(chosen.parley_bench, model))
                for way in WAYS:
                    found += peer_lines(environments, "torch", __file__, [model, way])
                for line in found:
                    lines.append({"bench": "training", "model": model} | line)
                    tell(lines[-1])
    print("\n" + table(lines))


def ours(bench, model):
    output = subprocess.run([bench, "child", "training", model], check=True, stdout=subprocess.PIPE, text=True).stdout
    for line in output.splitlines():
        if line.startswith("{"):
            found = json.loads(line)
            yield {"library": "Parley", "way": "plain" if "_plain_" in found["bench"] else "private"} | {
                key: value for key, value in found.items() if key not in ("bench", "batch")}


def made(model):
    """In PyTorch's environment: the network and the shape of a row."""
    import torch
    from torch import nn

    if model == "mlp":
        return nn.Sequential(nn.Flatten(), nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 10)), (784,)
    if model == "cnn":
        return nn.Sequential(
            nn.Conv2d(1, 16, 8, 2, padding=3), nn.ReLU(), nn.MaxPool2d(2, 1), nn.Conv2d(16, 32, 4, 2), nn.ReLU(),
            nn.MaxPool2d(2, 1), nn.Flatten(), nn.Linear(32 * 4 * 4, 32), nn.ReLU(), nn.Linear(32, 10)), (1, 28, 28)
    return resnet18(nn, torch), (3, 224, 224)


def resnet18(nn, torch):
    """As torchvision's, with group normalisation of 32 groups."""

    class Block(nn.Module):
        def __init__(self, inputs, outputs, stride):
            super().__init__()
            self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
            self.bn1 = nn.GroupNorm(32, outputs)
            self.relu1 = nn.ReLU()
            self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
            self.bn2 = nn.GroupNorm(32, outputs)
            self.relu2 = nn.ReLU()
            self.downsample = None
            if stride != 1 or inputs != outputs:
                self.downsample = nn.Sequential(
                    nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.GroupNorm(32, outputs))

        def forward(self, x):
            y = self.bn2(self.conv2(self.relu1(self.bn1(self.conv1(x)))))
            return self.relu2(y + (x if self.downsample is None else self.downsample(x)))

    blocks = [Block(64, 64, 1), Block(64, 64, 1)]
    for width in [128, 256, 512]:
        blocks += [Block(width // 2, width, 2), Block(width, width, 1)]
    return nn.Sequential(
        nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.GroupNorm(32, 64), nn.ReLU(), nn.MaxPool2d(3, 2, 1), *blocks,
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 1000))


def peer(model, way):
    """In PyTorch's environment, in a process of its own."""
    import warnings

    warnings.simplefilter("ignore")
    import torch
    from torch import nn

    torch.set_num_threads(1)
    batch, steps = MODELS[model]
    network, shape = made(model)
    rows = torch.rand(batch, *shape)
    labels = torch.arange(batch) % 10
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01)
    library = "PyTorch " + torch.__version__
    if way != "plain":
        import opacus

        library = "Opacus " + opacus.__version__
        data = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(rows, labels), batch_size=batch)
        made_private = opacus.PrivacyEngine().make_private(
            module=network, optimizer=optimizer, data_loader=data, noise_multiplier=1.0, max_grad_norm=1.0,
            poisson_sampling=False, **({"criterion": criterion, "grad_sample_mode": "ghost"} if way == "ghost" else {}))
        if way == "ghost":
            network, optimizer, criterion, _ = made_private
        else:
            network, optimizer, _ = made_private

    def step():
        optimizer.zero_grad()
        criterion(network(rows), labels).backward()
        optimizer.step()

    step()
    start = time.process_time()
    for _ in range(steps):
        step()
    seconds = time.process_time() - start
    tell({"library": library, "way": way, "samples_per_s": round(batch * steps / seconds, 2),
          "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)})


def table(lines):
    text = ["| model | library | way | samples a second | without the noise | peak MB |", "|---|---|---|---|---|---|"]
    kinds = {}
    for line in lines:
        if "skipped" not in line:
            kinds.setdefault((line["model"], line["library"], line["way"]), []).append(line)
    for (model, library, way), found in kinds.items():
        def middle(key):
            values = [line[key] for line in found if key in line]
            return f"{statistics.median(values):.4g}" if values else ""
        text.append(f"| {model} | {library} | {way} | {middle('samples_per_s')} "
                    f"| {middle('samples_per_s_without_noise')} | {middle('peak_mb')} |")
    text += [f"| {line['model']} | {line['library']} | | {line['skipped']} | | |" for line in lines if "skipped" in line]
    return "\n".join(text)


if __name__ == "__main__":
    if len(sys.argv) == 4 and sys.argv[1] == "torch":
        peer(sys.argv[2], sys.argv[3])
    else:
        main()
