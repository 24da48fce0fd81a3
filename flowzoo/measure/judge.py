"""The judge of spoken digits: a small network, trained on real recordings, that says which digit it hears."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

import keras
import numpy as np

from flowzoo.core.errors import CheckpointError
from flowzoo.core.files import sha256
from flowzoo.data import spec
from flowzoo.modalities import audio

DATA_SET, DIGITS = "fsdd", 10
WEIGHTS = Path(__file__).parent / "judges" / f"{DATA_SET}.npz"
BANDS, RANGE = 40, 6.0  # of the spectrogram, and nats below its loudest entry that are heard: 52 dB
HIDDEN = ((40, 5), (48, 5), (48, 3))  # channels and frames of each convolution


def network() -> keras.Model:
    """The judge without its weights: (batch, frames, bands), of any number of frames, to logits (batch, digits)."""
    x = given = keras.Input((None, BANDS))
    for place, (channels, frames) in enumerate(HIDDEN):
        x = keras.layers.MaxPooling1D(2, padding="same")(x) if place else x
        x = keras.layers.Conv1D(channels, frames, padding="same", activation="relu", name=f"hidden_{place}")(x)
    x = keras.layers.Concatenate()([keras.layers.GlobalAveragePooling1D()(x), keras.layers.GlobalMaxPooling1D()(x)])
    x = keras.layers.Dropout(0.3, seed=0)(x)
    return keras.Model(given, keras.layers.Dense(DIGITS, name="digits")(x))


def load(path: Path = WEIGHTS) -> tuple[keras.Model, str]:
    """The judge with the weights that `tools/train_judge.py` wrote, and the sha256 of their file.

    Raises:
        CheckpointError: the file is missing, damaged, or of another network.
    """
    judge = network()
    try:
        digest = sha256(path)
        with np.load(path) as file:
            for weight in judge.trainable_weights:
                found = file[weight.path]
                if found.shape != weight.shape:
                    raise ValueError(f"`{weight.path}` of shape {found.shape} instead of {weight.shape}")
                weight.assign(found)
    except (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile, zlib.error) as error:
        raise CheckpointError(
            f"{path} must hold the {len(judge.trainable_weights)} arrays of the judge of {DATA_SET}, got: {error}. "
            "Install flowzoo again, or run: python tools/train_judge.py"
        ) from error
    return judge, digest


def read(judge: keras.Model, clips: np.ndarray, recording: np.ndarray) -> np.ndarray:
    """The digit heard in each recording, (recordings,) integers, in the order of their numbers.

    Args:
        judge: as `load` gives it.
        clips: (n, samples) int16; those of a recording, in order, are heard one after the other.
        recording: (n,), the number of the recording that each is of.
    """
    numbers, counts = np.unique(recording, return_counts=True)
    digits = np.empty(len(numbers), int)
    for count in np.unique(counts):  # equally long ones at once, so that nothing is padded
        rows = np.flatnonzero(counts == count)
        waveforms = np.reshape([clips[recording == number] for number in numbers[rows]], (len(rows), -1))
        digits[rows] = judge(heard(waveforms), training=False).numpy().argmax(axis=1)
    return digits


def heard(waveforms: np.ndarray) -> np.ndarray:
    """The input of the network for (n, samples), 16-bit integers: spectrograms (n, frames, bands) of any loudness."""
    mel = audio.log_mel(waveforms, spec(DATA_SET).rate, BANDS).numpy()
    mel = np.maximum(mel, mel.max(axis=(1, 2), keepdims=True) - RANGE)
    return (mel - mel.mean(axis=(1, 2), keepdims=True)) / (mel.std(axis=(1, 2), keepdims=True) + 1e-6)
