#!/usr/bin/env python3
"""Makes models.json: what PyTorch computes with the models that ship, whose weights and inputs follow from a formula; and
weights.safetensors and types.safetensors, as the safetensors library writes them.

Run: python3 models.py > models.json (made with PyTorch 2.13, safetensors 0.8).
"""
import json
import torch
import torch.nn as nn
import torch.nn.functional as F
from safetensors.torch import save_file


def formula(count, factor):
    """((7919 i) mod 1009 - 504) / 504 x factor: exact in whole numbers, rounded once to float32."""
    i = torch.arange(count, dtype=torch.int64)
    return (((i * 7919) % 1009 - 504).double() / 504 * factor).float()


class Block(nn.Module):
    """torchvision's BasicBlock."""

    def __init__(self, inputs, outputs, stride, norm):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = norm(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = norm(outputs)
        self.downsample = (
            nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), norm(outputs)) if inputs != outputs else None)

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(y + (x if self.downsample is None else self.downsample(x)))


class ResNet18(nn.Module):
    """torchvision's resnet18."""

    def __init__(self, classes, norm):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False), norm(64)
        before = 64
        for index, channels in enumerate([64, 128, 256, 512]):
            blocks = nn.Sequential(Block(before, channels, 1 if index == 0 else 2, norm), Block(channels, channels, 1, norm))
            setattr(self, f"layer{index + 1}", blocks)
            before = channels
        self.fc = nn.Linear(512, classes)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 3, 2, 1)
        for index in range(4):
            x = getattr(self, f"layer{index + 1}")(x)
        return self.fc(x.mean((2, 3)))


class Convolutions(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 16, 8, 2, 3), nn.Conv2d(16, 32, 4, 2)
        self.fc1, self.fc2 = nn.Linear(512, 32), nn.Linear(32, 10)

    def forward(self, x):
        x = F.max_pool2d(torch.tanh(self.conv1(x)), 2, 1)
        x = F.max_pool2d(torch.tanh(self.conv2(x)), 2, 1)
        return self.fc2(torch.tanh(self.fc1(x.flatten(1))))


def case(name, model, shape):
    for key, tensor in model.state_dict().items():
        if key.endswith("num_batches_tracked"):
            continue
        fan = tensor[0].numel() if tensor.dim() > 1 else 1
        values = formula(tensor.numel(), 1.5 / fan ** 0.5).reshape(tensor.shape)
        is_scale = tensor.dim() == 1 and key.endswith("weight") or key.endswith("running_var")
        tensor.copy_(1 + 0.25 * values / 1.5 if is_scale else values)
    x = formula(2 * torch.Size(shape).numel(), 1).reshape(2, *shape)
    model.eval()
    output = model(x)
    F.cross_entropy(output, torch.tensor([1, 2]), reduction="sum").backward()
    return {
        "model": name,
        "shapes": {k: list(v.shape) for k, v in model.state_dict().items() if not k.endswith("num_batches_tracked")},
        "output": output.flatten().tolist(),
        "gradientNorms": {k: float(p.grad.double().norm()) for k, p in model.named_parameters()},
    }


group = lambda channels: nn.GroupNorm(32, channels)
print(json.dumps([
    case("convolutions", Convolutions(), (1, 28, 28)),
    case("resnet18", ResNet18(10, group), (3, 32, 32)),
    case("resnet18-batch", ResNet18(10, nn.BatchNorm2d), (3, 32, 32)),
]))

module = nn.Sequential(nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(2, 3))
for index, tensor in enumerate(module.state_dict().values()):
    tensor.copy_(torch.arange(tensor.numel()).reshape(tensor.shape) / 8 + index)
save_file(module.state_dict(), "weights.safetensors")
numbers = torch.tensor([0.0, -1.5, 65504.0, 2.0 ** -24, 0.333251953125, float("inf")])
save_file({
    "f64": numbers.double(), "f32": numbers, "f16": numbers.half(), "bf16": numbers.bfloat16(),
    "empty": torch.zeros(0, 3), "scalar": torch.tensor(2.5),
}, "types.safetensors", {"note": "of all types that are read"})
