#!/usr/bin/env python3
"""What one federated update shows of the image behind it, and what differential privacy leaves of that: published attacks
on PneumoniaMNIST, from the plain update and from the noisy sum that a private Parley run opens.

    gradient_inversion.py [--parley PATH] [--data FILE] [--folder FOLDER] [--quick]

One JSON object a line, then a table in Markdown. Ends with 1 where an attack on noisy sums is above a baseline by more than five
standard errors. PyTorch on one thread, CPU seconds; seeds are public and fixed, so that a machine repeats its own numbers. Without the
data (DATA below, or the variable PARLEY_PNEUMONIAMNIST, or --data) it is skipped, with a message.

Attacks, each on updates of a single image with LeNet as DLG has it (sigmoid, weights and biases uniform between -0.5 and 0.5):
  dlg     Zhu, Liu and Han 2019, "Deep leakage from gradients": L-BFGS on image and soft label, squared distance of gradients.
  idlg    Zhao, Mopuri and Bilen 2020, "iDLG": the label by the sign of the last layer's gradient, then as dlg.
  cosine  Geiping et al. 2020, "Inverting gradients": cosine distance and total variation, Adam on the gradient's sign, pixels from 0
          to 1; the label is known.
  cosine_from_mean   the same, begun at the mean of the other images, for one who knows what such images look like.
Of several starts, the one whose gradient fits best counts: the attacker sees that, and not the image. L-BFGS here halves steps that
do not lower the distance, which the papers' does not: it needs no restarts.

Besides, what no reconstruction measures: an attacker who has all images, and only asks whose gradient is in the noisy sum ("candidates",
by maximum likelihood, which is the best there is). The promise bounds that one too; how far it is above chance is what one round gives away.

Settings:
  plain    the gradient as it is: what FedSGD sends without secure aggregation.
  clipped  the gradient scaled to the clipping norm, without noise: what clipping alone does.
  faint    clipped, with a ten-thousandth of the noise: what noise that is too small does.
  noisy    clipped, with the noise of all steps' epsilon 8 at delta 1e-4, as the project's study of PneumoniaMNIST has it
           (StudyPlans.Private): all rows in each step, C = 20, 100 rounds and 5 spare ones. The sum that is opened has the noise of the
           two honest hospitals: the third is in league with the attacker, who subtracts its share. Worse than any real round: the
           other images of the sum are known and subtracted too, the gradient is not only at most as long as the clipping norm but
           exactly, the label and the clipping norm are known. Noise is Gaussian here and Skellam there, on a grid so fine that neither tells.
           The attacks match gradients of length C. For dlg, the label is unknown all the same; for idlg, it is recovered, then told.

Baselines, which see no update: the mean of the other images; and the same attack, from the same starts, on the same noise without
a gradient in it. Differences are paired by image; intervals are of 95 %, by Student's t.

What this does not show: LeNet is what the papers attack; the study trains a linear layer behind a scattering transform. These attacks
failed on three images at a thousandth of the noise, so that their failing is no proof of the promise: the accountant is. One round is
attacked, not all 105.

SSIM: Wang et al. 2004, the mean over all whole 7x7 windows, uniform weights, variances over 49, K1 = 0.01, K2 = 0.03, data range 1;
reconstructions are cut to 0...1 before. "Recovered" is an SSIM above 0.9.
"""

import argparse
import json
import math
import os
import pathlib
import re
import subprocess
import sys
import time

sys.dont_write_bytecode = True
from environment import Environments, peer_lines, tell

DATA = pathlib.Path(__file__).resolve().parents[3] / "shared/data/pneumoniamnist/pneumoniamnist_full.npz"

# Of StudyPlans.Private. The multiplier is what `parley privacy noise` answers to NOISE, for Gaussian noise; Skellam noise costs a trace
# more, so that the study's own is a trace larger.
CLIP = 20.0
MULTIPLIER = 5.961
NOISE = ["--sampling-rate", "1", "--steps", "105", "--epsilon", "8", "--delta", "1e-4", "--accountant", "renyi"]

IMAGES, QUICK = 20, 3
RECOVERED = 0.9
SEED = 2020
# Starts and evaluations of the gradient, of each attack on each image.
STARTS = {"dlg": 1, "idlg": 1, "cosine": 2}
EVALUATIONS = {"dlg": 1000, "idlg": 1000, "cosine": 400}
ATTACKS = list(STARTS)
# The noise multiplier over the study's; None: neither clipping nor noise.
SETTINGS = {"plain": None, "noisy": 1, "clipped": 0, "faint": 1e-4}
# Of the attack among candidates, on each image.
DRAWS = 100
# The 97.5 % quantiles of Student's t, by degrees of freedom.
QUANTILES = {QUICK - 1: 4.30265, IMAGES - 1: 2.09302}


def main():
    arguments = argparse.ArgumentParser(description="What one update shows of its image.")
    arguments.add_argument("--parley", help="the parley executable, asked for the noise; otherwise a number known from it")
    arguments.add_argument("--data", default=os.environ.get("PARLEY_PNEUMONIAMNIST", DATA), help="pneumoniamnist_full.npz")
    arguments.add_argument("--folder")
    arguments.add_argument("--quick", action="store_true", help=f"whether it runs: {QUICK} images, a twentieth of the steps")
    chosen = arguments.parse_args()
    if not pathlib.Path(chosen.data).exists():
        tell({"bench": "inversion", "library": "PyTorch", "skipped": f"there is no {chosen.data}"})
        return
    multiplier = asked(chosen.parley) if chosen.parley else MULTIPLIER
    count = QUICK if chosen.quick else IMAGES
    lines = []
    with Environments(chosen.folder) as environments:
        for line in peer_lines(environments, "torch", __file__, [chosen.data, count, multiplier]):
            lines.append(line if "bench" in line else {"bench": "inversion"} | line)
            tell(lines[-1])
    print("\n" + table(lines))
    above = [line["bench"] for line in lines if line.get("standard_errors_above", 0) > 5]
    if above:
        sys.exit("above a baseline that saw no update: " + ", ".join(above))


def asked(parley):
    output = subprocess.run([parley, "privacy", "noise"] + NOISE, check=True, stdout=subprocess.PIPE, text=True).stdout
    return float(re.search(r"[0-9.]+", output).group())


def table(lines):
    text = ["| update | attack | SSIM: mean, least, most | recovered | MSE | label | over the mean image | over noise alone | CPU s |",
            "|---|---|---|---|---|---|---|---|---|"]
    for line in lines:
        if "skipped" in line:
            text.append(f"| | {line['library']}: {line['skipped']} | | | | | | | |")
            continue
        if "right" in line:
            continue
        differences = [f"{line[key]['mean']:+.3f} ({line[key]['low']:+.3f} to {line[key]['high']:+.3f})" if key in line else ""
                       for key in ["over_mean_image", "over_noise_alone"]]
        label = f"{line['label_recovered']} of {line['of']}" if "label_recovered" in line else ""
        text.append(
            f"| {line['setting']} | {line['attack']} | {line['ssim_mean']:.3f}, {line['ssim_min']:.3f}, {line['ssim_max']:.3f} "
            f"| {line['recovered']} of {line['of']} | {line['mse_mean']:.4f} | {label} | {' | '.join(differences)} "
            f"| {line['seconds']} |")
    return "\n".join(text)


# From here on inside PyTorch's environment.


class LeNet:
    """Three convolutions of 5x5, twelve channels each, and a linear layer; a sigmoid behind each convolution."""

    # Channels, height and width that come in, and the stride.
    LAYERS = [(1, 28, 2), (12, 14, 2), (12, 7, 1)]
    CHANNELS, CLASSES = 12, 2

    def __init__(self, torch, generator):
        def uniform(*shape):
            return torch.rand(*shape, generator=generator, dtype=torch.float64) - 0.5

        self.torch = torch
        self.convolutions = [(uniform(self.CHANNELS, channels * 25), uniform(self.CHANNELS, 1)) for channels, _, _ in self.LAYERS]
        self.linear = uniform(self.CLASSES, self.CHANNELS * 49), uniform(self.CLASSES)

    def gradients(self, images, labels):
        """Of each image's cross-entropy, a row each: images [n, 784], labels' probabilities [n, 2].

        Backpropagation is written out, so that one pass serves all images, and can itself be differentiated."""
        torch, count = self.torch, len(images)
        unfold, fold = torch.nn.functional.unfold, torch.nn.functional.fold
        columns, outputs, value = [], [], images
        for (weights, bias), (channels, side, stride) in zip(self.convolutions, self.LAYERS):
            columns.append(unfold(value.reshape(count, channels, side, side), 5, padding=2, stride=stride))
            outputs.append(torch.sigmoid(weights @ columns[-1] + bias))
            value = outputs[-1]
        value = value.reshape(count, -1)
        logits = value @ self.linear[0].T + self.linear[1]
        error = torch.softmax(logits, 1) - labels
        found = [error, error[:, :, None] * value[:, None, :]]
        error = error @ self.linear[0]
        for layer in reversed(range(len(self.LAYERS))):
            channels, side, stride = self.LAYERS[layer]
            error = error.reshape(outputs[layer].shape) * outputs[layer] * (1 - outputs[layer])
            found += [error.sum(2), error @ columns[layer].transpose(1, 2)]
            if layer > 0:
                error = fold(self.convolutions[layer][0].T @ error, (side, side), 5, padding=2, stride=stride)
        return torch.cat([part.reshape(count, -1) for part in reversed(found)], 1)

    def check(self, images, labels):
        """Against automatic differentiation of the same network."""
        torch = self.torch
        weights = [part.clone().requires_grad_() for layer in self.convolutions + [self.linear] for part in layer]
        for image, label, ours in zip(images, labels, self.gradients(images, labels)):
            value = image.reshape(1, 1, 28, 28)
            for place, (channels, _, stride) in enumerate(self.LAYERS):
                kernel, bias = weights[2 * place:2 * place + 2]
                value = torch.sigmoid(torch.nn.functional.conv2d(
                    value, kernel.reshape(-1, channels, 5, 5), bias[:, 0], stride=stride, padding=2))
            logits = value.reshape(1, -1) @ weights[-2].T + weights[-1]
            loss = -(label * torch.log_softmax(logits, 1)).sum()
            theirs = torch.cat([part.reshape(-1) for part in torch.autograd.grad(loss, weights)])
            if not torch.allclose(ours, theirs, rtol=1e-9, atol=1e-12):
                raise RuntimeError("the gradient that is written out is not the network's")


class Attacker:
    """Knows the network, the clipping norm, and what it is given: all images' updates at once, each attacked by itself."""

    def __init__(self, torch, network, clip):
        self.torch, self.network, self.clip = torch, network, clip

    def fitted(self, images, labels):
        """The gradients that images would give: of the clipping norm's length where updates are."""
        found = self.network.gradients(images, labels)
        return found if self.clip is None else found * (self.clip / found.norm(dim=1, keepdim=True))

    def best(self, starts, losses, *results):
        """Of each image's starts, the results with the least loss."""
        torch = self.torch
        losses = torch.nan_to_num(losses, nan=math.inf).reshape(starts, -1)
        place = losses.argmin(0), torch.arange(losses.shape[1])
        return [result.reshape(starts, losses.shape[1], -1)[place] for result in results]

    def dlg(self, updates, labels, starts, generator):
        """Labels None: they are sought too. Gives images, and labels' probabilities."""
        torch = self.torch
        begun = torch.randn(starts * len(updates), 784 + LeNet.CLASSES, generator=generator, dtype=torch.float64)
        targets = updates.repeat(starts, 1)
        known = None if labels is None else labels.repeat(starts, 1)
        # The squared distance, up to a factor: as large for short and for noisy updates.
        lengths = targets.norm(dim=1)
        scale = lengths * (lengths if self.clip is None else self.clip)

        def loss(points):
            given = torch.softmax(points[:, 784:], 1) if known is None else known
            return ((self.fitted(points[:, :784], given) - targets) ** 2).sum(1) / scale

        points, losses = minimized(torch, loss, begun, EVALUATIONS["dlg"])
        images, logits = self.best(starts, losses, points[:, :784], points[:, 784:])
        return images, torch.softmax(logits, 1) if labels is None else labels

    def cosine(self, updates, labels, starts, generator, begun=None, variation=1e-4, rate=0.1):
        torch, evaluations = self.torch, EVALUATIONS["cosine"]
        points = torch.randn(starts * len(updates), 784, generator=generator, dtype=torch.float64)
        if begun is not None:
            points = begun.repeat(starts, 1)
        targets, known = updates.repeat(starts, 1), labels.repeat(starts, 1)
        points.requires_grad_()
        adam = torch.optim.Adam([points], lr=rate)
        # As the paper has it: a tenth of the rate after 3/8, 5/8 and 7/8 of all steps.
        drops = [evaluations * eighths // 8 for eighths in (3, 5, 7)]
        schedule = torch.optim.lr_scheduler.MultiStepLR(adam, drops, 0.1)

        def loss():
            squares = points.reshape(-1, 28, 28)
            rough = squares.diff(dim=1).abs().mean((1, 2)) + squares.diff(dim=2).abs().mean((1, 2))
            alike = torch.cosine_similarity(self.network.gradients(points, known), targets)
            return 1 - alike + variation * rough

        for _ in range(evaluations):
            points.grad, = torch.autograd.grad(loss().sum(), points)
            points.grad.sign_()
            adam.step()
            schedule.step()
            with torch.no_grad():
                points.clamp_(0, 1)
        with torch.no_grad():
            return self.best(starts, loss(), points)[0]


def minimized(torch, loss, points, evaluations, memory=20):
    """L-BFGS (Liu and Nocedal 1989) on each row by itself, all at once: a row whose step does not lower its loss halves it, while
    the others go on. Gives points and losses."""

    def evaluated(points):
        points = points.detach().requires_grad_()
        losses = loss(points)
        slopes, = torch.autograd.grad(losses.sum(), points)
        return losses.detach(), slopes

    losses, slopes = evaluated(points)
    count = len(points)
    steps = torch.zeros(memory, *points.shape, dtype=points.dtype)
    changes = torch.zeros_like(steps)
    # Zero: there is no such pair yet.
    curvatures = torch.zeros(memory, count, dtype=points.dtype)

    def directions():
        direction = slopes.clone()
        factors = []
        for place in range(memory):
            factor = curvatures[place] * (steps[place] * direction).sum(1)
            direction -= factor[:, None] * changes[place]
            factors.append(factor)
        # The latest pair scales; without one the first step is short, as in PyTorch.
        squares = (changes[0] ** 2).sum(1)
        short = (1 / slopes.abs().sum(1).clamp(min=1e-300)).clamp(max=1)
        scale = torch.where(curvatures[0] > 0, 1 / (curvatures[0] * squares).clamp(min=1e-300), short)
        direction *= scale[:, None]
        for place in reversed(range(memory)):
            factor = curvatures[place] * (changes[place] * direction).sum(1)
            direction += (factors[place] - factor)[:, None] * steps[place]
        return -direction

    direction, length = directions(), torch.ones(count, dtype=points.dtype)
    for _ in range(evaluations):
        tried = points + length[:, None] * direction
        values, found = evaluated(tried)
        falls = (slopes * direction).sum(1)
        # Armijo's condition; what is no number meets none.
        taken = values <= losses + 1e-4 * length * falls
        step, change = tried - points, found - slopes
        product = (step * change).sum(1)
        kept = taken & (product > 1e-12 * (change ** 2).sum(1))
        for history, latest in [(steps, step), (changes, change), (curvatures, 1 / product)]:
            history[:, kept] = torch.cat([latest[kept][None], history[:-1, kept]])
        points = torch.where(taken[:, None], tried, points)
        slopes = torch.where(taken[:, None], found, slopes)
        losses = torch.where(taken, values, losses)
        # Too short a step: the model of the loss is wrong there, and is forgotten.
        lost = ~taken & (length < 1e-6)
        curvatures[:, lost] = 0
        changed = taken | lost
        direction = torch.where(changed[:, None], directions(), direction)
        length = torch.where(changed, torch.ones_like(length), length / 2)
    return points, losses


def similarity(torch, a, b):
    """SSIM of rows of 784 values from 0 to 1."""
    pool = torch.nn.AvgPool2d(7, 1)
    a, b = a.reshape(-1, 1, 28, 28), b.reshape(-1, 1, 28, 28)
    mean_a, mean_b = pool(a), pool(b)
    variance_a, variance_b = pool(a * a) - mean_a ** 2, pool(b * b) - mean_b ** 2
    covariance = pool(a * b) - mean_a * mean_b
    one, two = 0.01 ** 2, 0.03 ** 2
    return ((2 * mean_a * mean_b + one) * (2 * covariance + two)
            / ((mean_a ** 2 + mean_b ** 2 + one) * (variance_a + variance_b + two))).mean((1, 2, 3))


def interval(differences):
    count = len(differences)
    mean = differences.mean().item()
    error = differences.std().item() / math.sqrt(count)
    reach = QUANTILES[count - 1] * error
    return {"mean": round(mean, 4), "low": round(mean - reach, 4), "high": round(mean + reach, 4)}, mean / error


def among_candidates(torch, gradients, labels, deviation):
    """How often the likeliest of all images is the one whose gradient is in the sum, and how often it has its label."""
    generator = torch.Generator().manual_seed(SEED + 3)
    count, hits, same = len(gradients), 0, 0
    for _ in range(DRAWS):
        sums = gradients + deviation * torch.randn(gradients.shape, generator=generator, dtype=torch.float64)
        # All are of one length: the nearest is the one with the largest product.
        likeliest = (sums @ gradients.T).argmax(1)
        hits += int((likeliest == torch.arange(count)).sum())
        same += int((labels[likeliest] == labels).sum())
    return {"bench": "inversion_candidates_noisy", "library": "PyTorch " + torch.__version__, "right": round(hits / (DRAWS * count), 4),
            "by_chance": round(1 / count, 4), "label_right": round(same / (DRAWS * count), 4), "of": DRAWS * count}


def images_of(torch, file, count):
    """So many training images, as many of each label as can be, and their labels: a public choice."""
    import numpy

    with numpy.load(file) as archive:
        images, labels = archive["train_images"], archive["train_labels"].reshape(-1)
    order = numpy.random.default_rng(SEED).permutation(len(images))
    chosen = [[row for row in order if labels[row] == label][:(count + 1) // 2] for label in (0, 1)]
    rows = [row for pair in zip(*chosen) for row in pair][:count]
    pixels = torch.tensor(images[rows].reshape(count, 784) / 255.0, dtype=torch.float64)
    return pixels, torch.tensor(labels[rows].astype("int64"))


def peer(file, count, multiplier):
    import torch

    torch.set_num_threads(1)
    if count == QUICK:
        EVALUATIONS.update({attack: steps // 20 for attack, steps in EVALUATIONS.items()})
    images, labels = images_of(torch, file, count)
    true = torch.nn.functional.one_hot(labels, LeNet.CLASSES).to(torch.float64)
    network = LeNet(torch, torch.Generator().manual_seed(SEED))
    network.check(images[:3], true[:3])
    gradients = network.gradients(images, true)
    # The mean of the others, for each image.
    means = (images.sum(0) - images) / (count - 1)
    mean_similarity = similarity(torch, means, images)

    def scored(setting, attack, found, recovered_labels, seconds, alone=None):
        found = found.clamp(0, 1)
        values = similarity(torch, found, images)
        line = {"bench": f"inversion_{attack}_{setting}", "library": "PyTorch " + torch.__version__, "setting": setting,
                "attack": attack, "ssim_mean": round(values.mean().item(), 4), "ssim_min": round(values.min().item(), 4),
                "ssim_max": round(values.max().item(), 4), "mse_mean": round(((found - images) ** 2).mean().item(), 5),
                "recovered": int((values > RECOVERED).sum()), "of": count, "seconds": round(seconds, 1)}
        if recovered_labels is not None:
            line["label_recovered"] = int((recovered_labels == labels).sum())
        if alone is not None:
            line["over_mean_image"], first = interval(values - mean_similarity)
            line["over_noise_alone"], second = interval(values - similarity(torch, alone.clamp(0, 1), images))
            line["standard_errors_above"] = round(max(first, second), 2)
        tell(line)

    scored("none", "mean_image", means, None, 0)
    clipped = gradients * (CLIP / gradients.norm(dim=1, keepdim=True))
    tell(among_candidates(torch, clipped, labels, multiplier * CLIP))
    for setting, factor in SETTINGS.items():
        noise = torch.randn(gradients.shape, generator=torch.Generator().manual_seed(SEED + 1), dtype=torch.float64)
        updates = gradients
        if factor is not None:
            noise = noise * (factor * multiplier * CLIP)
            updates = clipped + noise
        attacker = Attacker(torch, network, None if factor is None else CLIP)

        def attacked(attack, updates):
            generator = torch.Generator().manual_seed(SEED + 2)
            # The biases of the last layer stand last, behind its weights: the label's row alone is below zero.
            rows = updates[:, -LeNet.CLASSES * (588 + 1):-LeNet.CLASSES].reshape(-1, LeNet.CLASSES, 588)
            signs = rows.sum(2).argmin(1)
            if attack == "dlg":
                found, given = attacker.dlg(updates, None, STARTS[attack], generator)
                return found, given.argmax(1)
            if attack == "idlg":
                # Under noise, it is told the label after all.
                given = torch.nn.functional.one_hot(signs, LeNet.CLASSES).to(torch.float64) if factor is None else true
                return attacker.dlg(updates, given, STARTS[attack], generator)[0], signs
            begun = means if attack == "cosine_from_mean" else None
            return attacker.cosine(updates, true, 1 if begun is not None else STARTS["cosine"], generator, begun), None

        for attack in ATTACKS + (["cosine_from_mean"] if setting == "noisy" else []):
            start = time.process_time()
            found, given = attacked(attack, updates)
            seconds = time.process_time() - start
            alone = attacked(attack, noise)[0] if setting == "noisy" else None
            scored(setting, attack, found, given, seconds, alone)


if __name__ == "__main__":
    if len(sys.argv) == 5 and sys.argv[1] == "torch":
        peer(sys.argv[2], int(sys.argv[3]), float(sys.argv[4]))
    else:
        main()
