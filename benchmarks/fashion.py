"""How good are the pictures that `ddpm/fashion-mnist` draws: judged by a classifier, beside real ones.

    python benchmarks/fashion.py --data DIR                        # DIR holds the four files of Fashion-MNIST
    python benchmarks/fashion.py --data DIR --weights weights/ --number 1000 --steps 20 50 --samplers ddim dpmpp-2m

A small classifier is trained on the training pictures first, for some minutes, and kept in `--cache`. Then it prints,
for drawn pictures and for as many real ones of the test set: how sure the classifier is of them, how they spread over
the ten classes, and the Fréchet distance of its features to those of the training pictures. Where the folder of the
weights holds the log of its training, the mean loss of each epoch is printed beside the published one.
"""

from __future__ import annotations

import argparse
import gzip
import json
import math
import time
from collections.abc import Iterator
from pathlib import Path

import torch
from restoration_ddpm.generation import Generation
from restoration_perceptual.frechet import frechet
from torch import Tensor, nn
from torch.nn import functional

from restoration import resolve
from restoration.console import prepare

PUBLISHED = (0.129, 0.058, 0.050, 0.047, 0.045, 0.043, 0.042, 0.041, 0.040, 0.039)
"""The mean loss of the first ten epochs in the published report; it is 0.035 after twenty."""
NAMES = ("T-shirt", "trousers", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "boot")
FEATURES = 64
"""Numbers that the classifier makes of a picture before it decides, which the distance compares."""


class Classifier(nn.Module):
    """Three convolutions and a layer of features."""

    def __init__(self) -> None:
        super().__init__()
        widths = [(1, 32), (32, 64), (64, 64)]
        layers = [(nn.Conv2d(a, b, 3, padding=1), nn.BatchNorm2d(b), nn.ReLU(), nn.MaxPool2d(2)) for a, b in widths]
        self.body = nn.Sequential(*(layer for group in layers for layer in group), nn.Flatten())
        self.features, self.head = nn.Linear(64 * 9, FEATURES), nn.Linear(FEATURES, len(NAMES))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the features and the logits of pictures `b 1 28 28`."""
        features = functional.relu(self.features(self.body(x)))
        return features, self.head(features)


def read_idx(path: Path) -> Tensor:
    """Read the numbers of an IDX file: `n`, or `n 1 h w` in [0, 1]."""
    data = gzip.decompress(path.read_bytes())
    sizes = [int.from_bytes(data[place : place + 4]) for place in range(4, 4 + 4 * data[3], 4)]
    numbers = torch.frombuffer(bytearray(data[4 + 4 * data[3] :]), dtype=torch.uint8).reshape(sizes)
    return numbers.long() if numbers.ndim == 1 else numbers[:, None].float() / 255


def read_set(data: Path, name: str) -> tuple[Tensor, Tensor]:
    """Return the pictures and labels of "train" or "t10k", which may lie in sub-folders."""
    kinds = ("images-idx3-ubyte.gz", "labels-idx1-ubyte.gz")
    images, labels = (next(data.rglob(f"{name}-{kind}"), None) for kind in kinds)
    if images is None or labels is None:
        raise SystemExit(f"{data} holds no {name}-{kinds[0]} with its labels")
    return read_idx(images), read_idx(labels)


def trained_classifier(cache: Path, images: Tensor, labels: Tensor, epochs: int) -> Classifier:
    """Return the classifier in the cache, or train one."""
    torch.manual_seed(0)
    classifier = Classifier().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    if cache.exists():
        classifier.load_state_dict(torch.load(cache, weights_only=True))
        return classifier.eval()
    batch = 128
    optimiser = torch.optim.AdamW(classifier.parameters(), lr=2e-3, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 2e-3, epochs * (len(images) // batch))
    for _ in range(epochs):
        for rows in torch.randperm(len(images))[: len(images) // batch * batch].split(batch):
            loss = functional.cross_entropy(classifier(images[rows])[1], labels[rows], label_smoothing=0.05)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
    cache.parent.mkdir(parents=True, exist_ok=True)
    torch.save(classifier.state_dict(), cache)
    return classifier.eval()


@torch.inference_mode()
def judged(classifier: Classifier, images: Tensor) -> tuple[Tensor, Tensor]:
    """Return the features, `n d`, and the probabilities of the classes, `n 10`, of pictures `n 1 28 28`."""
    answers = [classifier(part) for part in images.split(500)]
    return torch.cat([features for features, _ in answers]), torch.cat([logits.softmax(1) for _, logits in answers])


def row(name: str, images: Tensor, classifier: Classifier, real: Tensor, evaluations: str, seconds: str) -> list[str]:
    """Return a row of the table: confidence, spread and distance of some pictures."""
    features, probabilities = judged(classifier, images)
    sure, found = probabilities.max(1)
    shares = torch.bincount(found, minlength=len(NAMES)) / len(images)
    entropy = -(shares * shares.clamp_min(1e-12).log()).sum() / math.log(len(NAMES))
    distance = frechet(features.double(), real.double())
    numbers = [f"{float(sure.mean()):.3f}", f"{float(entropy):.3f}", f"{distance:.2f}"]
    counts = " ".join(f"{100 * share:.0f}" for share in shares.tolist())
    return [name, evaluations, *numbers, counts, seconds]


def epochs_of(weights: str) -> Iterator[tuple[int, float]]:
    """Yield the mean loss of every epoch of the training of some weights, as far as a log lies beside them."""
    folder = resolve(weights, "ddpm", "denoise")
    assert folder is not None
    record, log = folder.recipe().training, folder.path / "log.jsonl"
    if not log.exists():
        return
    losses: dict[int, list[float]] = {}
    for line in map(json.loads, log.read_text().splitlines()):
        epoch = math.ceil(line["step"] * record["batch"] / record["pictures"])
        losses.setdefault(epoch, []).append(line["loss"])
    yield from ((epoch, sum(values) / len(values)) for epoch, values in losses.items())


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="Folder with the files of Fashion-MNIST.")
    parser.add_argument("--weights", default="ddpm/fashion-mnist", help="Weights to judge.")
    parser.add_argument("--number", type=int, default=1000, help="Number of pictures, drawn and real.")
    parser.add_argument("--steps", type=int, nargs="+", default=[20, 50], help="Numbers of evaluations.")
    parser.add_argument("--samplers", nargs="+", default=["ddim"], help="Samplers.")
    parser.add_argument("--seed", type=int, default=0, help="Random seed of the drawn pictures.")
    parser.add_argument("--cache", type=Path, default=Path("fashion-classifier.pt"), help="File of the classifier.")
    parser.add_argument("--epochs", type=int, default=4, help="Epochs of its training.")
    parser.add_argument("--threads", type=int, help="Number of CPU threads.")
    return parser.parse_args()


def main() -> None:
    options = parse()
    prepare(options.threads)
    images, labels = read_set(options.data, "train")
    test_images, test_labels = read_set(options.data, "t10k")
    classifier = trained_classifier(options.cache, images, labels, options.epochs)
    right = float((judged(classifier, test_images)[1].argmax(1) == test_labels).float().mean())
    real = judged(classifier, images)[0]
    print(f"classifier: {100 * right:.1f} % of the {len(test_images)} test pictures are recognised")
    print(
        "distance: Fréchet, of its 64 features, to the 60,000 training pictures; spread: entropy of classes, 1 is even"
    )
    print(f"classes in percent: {', '.join(NAMES)}\n")
    print("| pictures | evaluations | confidence | spread | distance | classes | s |\n|---|---|---|---|---|---|---|")
    reference = row(f"{options.number} of the test set", test_images[: options.number], classifier, real, "", "")
    print("|", " | ".join(reference), "|", flush=True)
    for sampler in options.samplers:
        for steps in options.steps:
            generation = Generation(options.weights, steps=steps, sampler=sampler, device="cpu")
            begin = time.perf_counter()
            drawn = torch.cat(list(generation.batches(options.number, seed=options.seed, batch=100)))
            seconds = f"{time.perf_counter() - begin:.0f}"
            print("|", " | ".join(row(sampler, drawn, classifier, real, str(steps), seconds)), "|", flush=True)
    if losses := list(epochs_of(options.weights)):
        print("\n| epoch | loss | published |\n|---|---|---|")
        for epoch, loss in losses:
            published = f"{PUBLISHED[epoch - 1]:.3f}" if epoch <= len(PUBLISHED) else "0.035" if epoch == 20 else ""
            print(f"| {epoch} | {loss:.4f} | {published} |")


if __name__ == "__main__":
    main()
