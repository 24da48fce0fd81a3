"""Audio: WAV and FLAC files as 16-bit integers, and log-mel spectrograms as numbers and as images."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np

from flowzoo.core.files import write_atomic
from flowzoo.core.space import Space
from flowzoo.modalities.modality import Modality

if TYPE_CHECKING:
    import tensorflow as tf
    from PIL import Image

SUFFIXES = (".wav", ".flac")  # looked for in folders
MEL = "mel"  # the modality of spectrograms
HOP_SECONDS, WINDOW_HOPS, FLOOR = 0.008, 4, 1e-5
TYPICAL = (-6.5, 2.0)  # mean and standard deviation of `log_mel` of speech; of fsdd's clips -6.54 and 2.03
BEND, PER_BEND, STEP = 1000.0, 15.0, math.log(6.4) / 27.0  # of Slaney's scale: hertz, mels, and per mel above


class Audio(Modality):
    """Waveforms (samples,) of signed integers, of which a file holds several, side by side."""

    what, reads, written = "audio", SUFFIXES, ".wav"
    sources = "a .wav or .flac file, or a folder of such"
    shown, signal = 16, True
    card = "spectrogram of samples at T = 1, one clip after the other"

    def held(self, space: Space) -> bool:
        return True

    def read(self, path: Path, space: Space) -> tuple[np.ndarray, str]:
        """The clips of a file of audio; a remainder at its end is dropped."""
        (length,) = space.shape
        samples = read_audio(path, space.rate)
        clips = windows(samples, length) >> (16 - space.depth)
        if not len(clips):
            raise ValueError(f"{path}: expected at least {length} samples, a clip, got {len(samples)}.")
        left = len(samples) - clips.size
        return clips, f"{path}: the last {left} samples do not fill a clip of {length} and are left out" if left else ""

    def write(self, path: str | Path, examples: np.ndarray, space: Space, columns: int | None = None) -> None:
        write_wav(path, _in_16_bits(examples, space), space.rate)

    def draw(self, path: str | Path, examples: np.ndarray, space: Space, columns: int | None = None) -> None:
        write_spectrogram(path, _in_16_bits(examples, space), space.rate)

    def synthetic(self, count: int, space: Space) -> np.ndarray:
        """A `voice`, cut into clips."""
        (length,) = space.shape
        return (windows(voice(count * length, space.rate), length) >> (16 - space.depth)).astype(space.dtype)


class Spectrograms(Modality):
    """What `log_mel` gives."""

    typical = TYPICAL


def _in_16_bits(examples: np.ndarray, space: Space) -> np.ndarray:
    """One after the other, of as many bits as a file has."""
    return joined(examples).astype(np.int16) << (16 - space.depth)


def read_audio(path: Path, rate: int) -> np.ndarray:
    """The samples of a mono file of 16 bits.

    Args:
        path: a WAV or FLAC file.
        rate: samples per second that it must have.

    Returns:
        (samples,) int16, as they are in the file.

    Raises:
        ValueError: another rate, several channels, samples of another width, no samples, or a damaged file.
        OSError: it can't be read.
        ModuleNotFoundError: soundfile is not installed.
    """
    return decode_audio(Path(path).read_bytes(), rate, str(path))


def decode_audio(content: bytes, rate: int, name: str) -> np.ndarray:
    """As `read_audio`, for the content of a file; `name` is what messages call it."""
    soundfile = _soundfile()
    try:
        with soundfile.SoundFile(io.BytesIO(content)) as file:
            wrong = _wrong(file, rate)
            samples = np.zeros(0, np.int16) if wrong else file.read(dtype="int16")
            stated = file.frames
    except soundfile.LibsndfileError as error:
        raise ValueError(f"{name}: expected a readable WAV or FLAC file, got: {error.error_string}") from error
    if not wrong and (len(samples) != stated or _cut(content)):
        wrong = f"expected all samples that its header states, got {len(samples)}. Copy the file again."
    if wrong:
        raise ValueError(f"{name}: {wrong}")
    return samples


def write_wav(path: str | Path, samples: np.ndarray, rate: int) -> None:
    """Writes a mono WAV file of 16 bits, all or nothing.

    Args:
        path: the file.
        samples: (samples,) int16.
        rate: samples per second.

    Raises:
        ValueError: `samples` has another shape or type.
        ModuleNotFoundError: soundfile is not installed.
    """
    if samples.ndim != 1 or samples.dtype != np.int16:
        raise ValueError(f"A WAV file needs samples (n,) int16, got {samples.shape} {samples.dtype}.")
    content = io.BytesIO()
    _soundfile().write(content, samples, rate, subtype="PCM_16", format="WAV")
    write_atomic(path, content.getvalue())


def hop(rate: int) -> int:
    """Samples from one frame of a spectrogram to the next: the power of two nearest to 8 ms.

    >>> hop(8000), hop(22050)
    (64, 128)
    """
    return 2 ** max(0, round(math.log2(HOP_SECONDS * rate)))


def mel_space(samples: int, rate: int, bands: int) -> Space:
    """The Space of what `log_mel` gives for waveforms of this many samples.

    >>> mel_space(1024, 8000, 40).shape
    (16, 40)
    """
    return Space((samples // hop(rate), bands), modality=MEL)


def log_mel(x: np.ndarray | tf.Tensor, rate: int, bands: int) -> tf.Tensor:
    """log(max(M |STFT(x / 32768)|, 1e-5)), the log-mel spectrogram.

    Frames are four hops long, each hop samples after the last; x is mirrored at both ends by (window - hop) / 2, so
    that there is a frame for each hop. They are weighted by a periodic Hann window. M holds triangles of Slaney's mel
    scale from 0 Hz to rate / 2, each of area 1 over hertz: librosa's `melspectrogram` with `power=1, center=False`.

    Args:
        x: (..., samples) int16, at least a window.
        rate: samples per second.
        bands: mel bands.

    Returns:
        (..., samples // hop, bands) float32, computed in float64.

    Raises:
        ValueError: x is shorter than half a window.
    """
    import tensorflow as tf  # imported here: files are read and written without it

    step = hop(rate)
    window, samples = WINDOW_HOPS * step, x.shape[-1]
    margin = (window - step) // 2
    if samples is not None and samples <= margin:
        raise ValueError(f"A spectrogram needs more than {margin} samples at {rate} per second, got {samples}.")
    x = tf.cast(x, tf.float64) / 32768.0
    x = tf.pad(x, [[0, 0]] * (x.shape.rank - 1) + [[margin, window - step - margin]], "REFLECT")
    hann = 0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(window) / window)
    magnitude = tf.abs(tf.signal.rfft(tf.signal.frame(x, window, step) * hann))
    mel = tf.tensordot(magnitude, mel_filters(rate, window, bands), 1)
    return tf.cast(tf.math.log(tf.maximum(mel, FLOOR)), tf.float32)


def mel_filters(rate: int, window: int, bands: int) -> np.ndarray:
    """The triangles over the frequencies of a window, (window // 2 + 1, bands) float64."""
    top = BEND / PER_BEND
    highest = _mels(rate / 2.0)
    edges = np.linspace(0.0, highest, bands + 2)
    hertz = np.where(edges < PER_BEND, edges * top, BEND * np.exp(STEP * (edges - PER_BEND)))
    bins = np.arange(window // 2 + 1)[:, None] * (rate / window)
    up = (bins - hertz[:-2]) / (hertz[1:-1] - hertz[:-2])
    down = (hertz[2:] - bins) / (hertz[2:] - hertz[1:-1])
    return np.maximum(0.0, np.minimum(up, down)) * (2.0 / (hertz[2:] - hertz[:-2]))


def write_spectrogram(path: str | Path, samples: np.ndarray, rate: int, bands: int = 40) -> None:
    """Writes the `spectrogram` of a waveform, (samples,) int16, as a PNG, all or nothing."""
    content = io.BytesIO()
    spectrogram(log_mel(samples, rate, bands).numpy()).save(content, "PNG", optimize=True)
    write_atomic(path, content.getvalue())


def spectrogram(mel: np.ndarray, scale: int = 4) -> Image.Image:
    """A log-mel spectrogram, (frames, bands), as a gray image: time to the right, pitch upwards, loud is bright."""
    from PIL import Image

    low, high = math.log(FLOOR), max(float(mel.max()), math.log(FLOOR) + 1.0)
    pixels = np.round((mel.T[::-1] - low) * (255.0 / (high - low))).astype(np.uint8)
    return Image.fromarray(pixels.repeat(scale, axis=0).repeat(scale, axis=1))


def voice(samples: int, rate: int) -> np.ndarray:
    """A synthetic vowel whose pitch falls from 220 to 110 Hz, (samples,) int16: sound that is nobody's recording."""
    phase = 2.0 * np.pi * np.cumsum(np.linspace(220.0, 110.0, samples)) / rate
    harmonics = range(1, max(2, round(0.45 * rate / 220.0)))
    wave = sum(np.sin(k * phase + k * k) / (1.0 + (k / 5.0) ** 2) for k in harmonics)
    return np.round(3000.0 * np.sin(np.pi * np.arange(samples) / samples) * wave).astype(np.int16)


def windows(samples: np.ndarray, length: int) -> np.ndarray:
    """Waveforms of a length, one after the other, (n, length); what is left at the end is dropped."""
    return samples[: len(samples) // length * length].reshape(-1, length)


def joined(waveforms: Sequence[np.ndarray] | np.ndarray) -> np.ndarray:
    """Waveforms one after the other, as one."""
    return np.concatenate([np.asarray(one).ravel() for one in waveforms])


def _mels(hertz: float) -> float:
    return hertz * PER_BEND / BEND if hertz < BEND else PER_BEND + math.log(hertz / BEND) / STEP


def _wrong(file, rate: int) -> str:
    """What is wrong with a file, by its header; "" if nothing."""
    if file.format not in ("WAV", "WAVEX", "FLAC"):
        return f"expected a WAV or FLAC file, got {file.format}. Convert it."
    if file.subtype != "PCM_16":
        return f"expected samples of 16 bits, got {file.subtype_info}. Convert them, as information would be lost."
    if file.channels != 1:
        return f"expected one channel, got {file.channels}. Save one of them, or their mean."
    if file.samplerate != rate:
        return f"expected {rate} samples per second, got {file.samplerate}. Resample it."
    return "" if file.frames else "expected at least one sample, got none."


def _cut(content: bytes) -> bool:
    """Whether a WAV file ends before its header says, which libsndfile ignores."""
    riff, size = content[:4], int.from_bytes(content[4:8], "little")
    return riff == b"RIFF" and size < 2**32 - 1 and len(content) < size + 8  # a pipe's writer knows no size: 2^32 - 1


def _soundfile() -> ModuleType:
    try:
        import soundfile
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            'Audio files need soundfile, which is not installed: pip install "flowzoo[audio]".'
        ) from error
    return soundfile
