#!/usr/bin/env python3
"""Makes layers.json: what PyTorch computes for each kind of layer, its parameters' gradients included.

Run: python3 layers.py > layers.json (made with PyTorch 2.13). The loss is sum(output * direction).
"""
import json
import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(7)


def layer(kind, **fields):
    return {"kind": kind, "name": "x", **fields}


class Apply(nn.Module):
    def __init__(self, f):
        super().__init__()
        self.f = f

    def forward(self, x):
        return self.f(x)


class Recurrent(nn.Module):
    def __init__(self, inputs, hidden):
        super().__init__()
        self.x = nn.GRU(inputs, hidden, batch_first=True)

    def forward(self, x):
        return self.x(x)[0]


class Attend(nn.Module):
    def __init__(self, width, heads, causal):
        super().__init__()
        self.x, self.causal = nn.MultiheadAttention(width, heads, batch_first=True), causal

    def forward(self, x):
        steps = x.shape[1]
        mask = torch.triu(torch.ones(steps, steps, dtype=torch.bool), 1) if self.causal else None
        return self.x(x, x, x, attn_mask=mask, need_weights=False)[0]


class LowRank(nn.Module):
    def __init__(self, inputs, outputs, rank, alpha):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs), requires_grad=False)
        self.bias = nn.Parameter(torch.randn(outputs), requires_grad=False)
        self.lora_A = nn.Linear(inputs, rank, bias=False)
        self.lora_B = nn.Linear(rank, outputs, bias=False)
        self.factor = alpha / rank

    def forward(self, x):
        return F.linear(x, self.weight, self.bias) + self.factor * self.lora_B(self.lora_A(x))


class Positional(nn.Module):
    def __init__(self, *shape):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(*shape))

    def forward(self, x):
        return x + self.weight


class Embed(nn.Embedding):
    def forward(self, x):
        return super().forward(x.long())


CASES = [
    (layer("linear", outputs=3), nn.Linear(4, 3), (2, 5, 4)),
    (layer("convolution", outputs=4, kernel=3, stride=2, padding=1), nn.Conv2d(2, 4, 3, 2, 1), (2, 2, 5, 6)),
    (layer("convolution", outputs=4, kernel=2, groups=2, bias=False), nn.Conv2d(4, 4, 2, groups=2, bias=False), (2, 4, 3, 4)),
    (layer("convolution", outputs=6, kernel=3, padding=2, groups=3), nn.Conv2d(3, 6, 3, padding=2, groups=3), (1, 3, 4, 3)),
    (layer("max-pool", window=3, stride=2, padding=1), nn.MaxPool2d(3, 2, 1), (2, 2, 5, 4)),
    (layer("max-pool", window=2, stride=1), nn.MaxPool2d(2, 1), (1, 2, 4, 4)),
    (layer("average-pool", window=3, stride=2, padding=1), nn.AvgPool2d(3, 2, 1), (2, 2, 5, 4)),
    (layer("global-average-pool"), Apply(lambda x: x.mean((2, 3))), (2, 3, 2, 4)),
    (layer("flatten"), nn.Flatten(), (2, 3, 2)),
    (layer("group-normalization", groups=2), nn.GroupNorm(2, 4), (2, 4, 3, 2)),
    (layer("layer-normalization"), nn.LayerNorm(4), (2, 3, 4)),
    (layer("layer-normalization", extents=2), nn.LayerNorm((3, 4)), (2, 3, 4)),
    (layer("batch-normalization"), nn.BatchNorm2d(3), (3, 3, 2, 2)),
    (layer("relu"), nn.ReLU(), (2, 5)),
    (layer("tanh"), nn.Tanh(), (2, 5)),
    (layer("sigmoid"), nn.Sigmoid(), (2, 5)),
    (layer("gelu"), nn.GELU(), (2, 5)),
    (layer("gelu", tanh=True), nn.GELU(approximate="tanh"), (2, 5)),
    (layer("softmax"), nn.Softmax(-1), (2, 2, 5)),
    (layer("embedding", count=6, width=3), Embed(6, 3), (2, 5)),
    (layer("positional-embedding"), Positional(4, 3), (2, 4, 3)),
    (layer("gru", hidden=3), Recurrent(4, 3), (2, 5, 4)),
    (layer("attention", heads=2), Attend(4, 2, False), (2, 5, 4)),
    (layer("attention", heads=2, causal=True), Attend(4, 2, True), (2, 5, 4)),
    (layer("lora-linear", outputs=3, rank=2, alpha=4.0), LowRank(5, 3, 2, 4.0), (2, 2, 5)),
    (layer("mean-over-steps"), Apply(lambda x: x.mean(1)), (2, 4, 3)),
    (layer("last-step"), Apply(lambda x: x[:, -1]), (2, 4, 3)),
]


def flat(tensor):
    return {"shape": list(tensor.shape), "values": [float(f"{v:.9g}") for v in tensor.detach().flatten().tolist()]}


def case(form, module, shape):
    is_embedding = isinstance(module, Embed)
    x = torch.randint(0, 4, shape).float() if is_embedding else torch.randn(shape)
    x.requires_grad_(True)
    for name, parameter in module.named_parameters():
        parameter.data = torch.randn_like(parameter) * 0.6
    before = {name: tensor.clone() for name, tensor in module.state_dict().items() if tensor.is_floating_point()}
    output = module(x)
    direction = torch.randn_like(output)
    (output * direction).sum().backward()
    full = lambda name: name if name.startswith("x.") else f"x.{name}"
    return {
        "layer": form,
        "input": flat(x),
        "parameters": {full(n): flat(t) for n, t in before.items()},
        "output": flat(output),
        "direction": flat(direction),
        "inputGradient": flat(torch.zeros_like(x) if is_embedding else x.grad),
        "gradients": {full(n): flat(p.grad) for n, p in module.named_parameters() if p.grad is not None},
        "statistics": {full(n): flat(t) for n, t in module.state_dict().items() if n.startswith("running")},
    }


print("[" + ",\n".join(json.dumps(case(*c), separators=(",", ":")) for c in CASES) + "]")
