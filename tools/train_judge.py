"""Train the judge that reads spoken digits, on real recordings: python tools/train_judge.py."""

import io
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # works from a checkout, installed or not

import keras
import numpy as np
from absl import app, flags, logging

from flowzoo.core.files import write_atomic
from flowzoo.data import MissingDataError, arrays
from flowzoo.data.clips import Clips
from flowzoo.measure import judge

_OUT = flags.DEFINE_string("out", str(judge.WEIGHTS), "The file to write.")
_EPOCHS = flags.DEFINE_integer("epochs", 30, "Passes over the training recordings.", lower_bound=1)
_DATA_DIR = flags.DEFINE_string("data_dir", None, "TFDS' folder; TFDS' default if not given.")

SEED, BATCH, RATE, SMOOTHING = 0, 32, 2e-3, 0.1
NOISE = 1e-4, 0.1  # added to training recordings, from and to, relative to their largest sample


def main(argv: list[str]) -> None:
    """Train, write the weights of the epoch that reads the validation split best, and read every split with them."""
    if len(argv) > 1:
        raise app.UsageError(f"expected no arguments, got {argv[1:]}.")
    logging.set_verbosity(logging.ERROR)
    try:
        data = {part: arrays.read(judge.DATA_SET, part, _DATA_DIR.value) for part in ("train", "validation", "test")}
    except MissingDataError as error:
        sys.exit(f"error: {error}")
    best = 0.0
    for epoch, (network, loss) in enumerate(training(*data["train"], _EPOCHS.value)):
        right = share(network, *data["validation"])
        print(f"epoch {epoch + 1}: loss {loss:.3f}, validation {right:.1%}, {time.process_time():.0f} s", flush=True)
        if right >= best:  # of equal ones the last, whose learning rate was the lowest
            best, weights = right, {weight.path: weight.numpy() for weight in network.trainable_weights}
    file = io.BytesIO()
    np.savez(file, **weights)
    write_atomic(_OUT.value, file.getvalue())
    network, digest = judge.load(Path(_OUT.value))
    print(f"{_OUT.value}: {len(file.getvalue()):,} bytes, sha256 {digest}")
    for part, (clips, labels) in data.items():
        print(f"{part}: {share(network, clips, labels):.1%} of {len(set(clips.recording.tolist())):,} recordings")


def training(clips: Clips, labels: np.ndarray, epochs: int) -> Iterator[tuple[keras.Model, float]]:
    """The network and its mean loss after each epoch."""
    keras.utils.set_random_seed(SEED)
    random, network, digits = np.random.default_rng(SEED), judge.network(), np.eye(judge.DIGITS)
    steps = epochs * len(groups(clips, random))
    rate = keras.optimizers.schedules.CosineDecay(RATE, steps)
    loss = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=SMOOTHING)
    network.compile(keras.optimizers.Adam(rate), loss)
    for _ in range(epochs):
        losses = []
        for first in groups(clips, random):
            x = judge.heard(varied(clips, first, random))
            losses.append(network.train_on_batch(x, digits[labels[first]]))
        yield network, float(np.mean(losses))


def groups(clips: Clips, random: np.random.Generator) -> list[np.ndarray]:
    """Batches of recordings with equally many clips, by the numbers of their first clips, in random order."""
    first, counts = np.unique(clips.recording, return_index=True, return_counts=True)[1:]
    found = []
    for count in np.unique(counts):
        alike = random.permutation(first[counts == count])
        found += np.split(alike, range(BATCH, len(alike), BATCH))
    return [found[place] for place in random.permutation(len(found))]


def varied(clips: Clips, first: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Recordings with equally many clips, each shifted at random and with some noise: (n, samples)."""
    low, end = clips.low[first], clips.high[first] + clips.length
    samples = (end[0] - low[0]) // clips.length * clips.length
    start = random.integers(low, end - samples, endpoint=True)
    x = clips.samples[start[:, None] + np.arange(samples)].astype(float)
    noise = np.exp(random.uniform(*np.log(NOISE), (len(x), 1))) * np.abs(x).max(axis=1, keepdims=True)
    return x + noise * random.standard_normal(x.shape)


def share(network: keras.Model, clips: Clips, labels: np.ndarray) -> float:
    """The share of the recordings of a split whose digit is read."""
    spoken = labels[np.unique(clips.recording, return_index=True)[1]]
    x = clips.cut(np.arange(len(clips))).numpy()
    return float((judge.read(network, x, clips.recording) == spoken).mean())


if __name__ == "__main__":
    app.run(main)
