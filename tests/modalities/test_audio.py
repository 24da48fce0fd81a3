import subprocess
import sys

import librosa
import numpy as np
import pytest
import soundfile

from flowzoo.core.space import Space
from flowzoo.modalities import audio
from flowzoo.modalities.registry import VECTORS, modality_of


@pytest.fixture
def speech():
    """A second of something between a vowel and noise, int16."""
    time, noise = np.arange(8000) / 8000.0, np.random.default_rng(0)
    voice = sum(np.sin(2 * np.pi * 140 * k * time + k) / k for k in range(1, 20))
    loud = np.exp(-(((time - 0.4) / 0.15) ** 2))
    return np.round(3000 * loud * voice + 40 * noise.standard_normal(8000)).astype(np.int16)


@pytest.mark.parametrize(("rate", "bands"), [(8000, 40), (22050, 80), (16000, 80)])
def test_log_mel_is_librosas(speech, rate, bands):
    hop = audio.hop(rate)
    window = 4 * hop
    padded = np.pad(speech / 32768.0, (window - hop) // 2, mode="reflect")
    how = {"n_fft": window, "hop_length": hop, "center": False, "power": 1.0, "n_mels": bands, "dtype": np.float64}
    mel = librosa.feature.melspectrogram(y=padded, sr=rate, **how)
    expected = np.log(np.maximum(mel, 1e-5)).T
    found = audio.log_mel(speech, rate, bands).numpy()
    assert found.shape == expected.shape == audio.mel_space(8000, rate, bands).shape
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4)
    assert found.std() > 1.0


def test_log_mel_takes_batches_and_silence(speech):
    both = audio.log_mel(np.stack([speech[:1024], np.zeros(1024, np.int16)]), 8000, 40)
    np.testing.assert_array_equal(both[0], audio.log_mel(speech[:1024], 8000, 40))
    np.testing.assert_allclose(both[1], np.log(1e-5), rtol=1e-6)
    with pytest.raises(ValueError, match="more than 96 samples at 8000 per second, got 90"):
        audio.log_mel(speech[:90], 8000, 40)


@pytest.mark.parametrize("suffix", ["wav", "flac"])
def test_files_hold_every_sample(tmp_path, suffix):
    samples = np.array([0, 1, -1, 32767, -32768, 1234], np.int16)
    path = tmp_path / f"x.{suffix}"
    if suffix == "wav":
        audio.write_wav(path, samples, 8000)
        assert soundfile.info(path).subtype == "PCM_16"
    else:
        soundfile.write(path, samples, 8000, subtype="PCM_16")
    np.testing.assert_array_equal(audio.read_audio(path, 8000), samples)
    assert [file.name for file in tmp_path.iterdir()] == [path.name]  # nothing is left beside it


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"samplerate": 16000}, "expected 8000 samples per second, got 16000"),
        ({"data": np.zeros((9, 2), np.int16)}, "expected one channel, got 2"),
        ({"subtype": "PCM_24"}, "expected samples of 16 bits, got Signed 24 bit PCM"),
        ({"subtype": "FLOAT"}, "expected samples of 16 bits, got 32 bit float"),
        ({"data": np.zeros(0, np.int16)}, "expected at least one sample, got none"),
        ({"format": "AIFF"}, "expected a WAV or FLAC file, got AIFF"),
    ],
)
def test_other_audio_is_refused_in_words(tmp_path, how, message):
    path = tmp_path / "x.wav"
    with open(path, "wb") as file:
        given = {"data": np.zeros(9, np.int16), "samplerate": 8000, "subtype": "PCM_16", "format": "WAV"} | how
        soundfile.write(file, **given)
    with pytest.raises(ValueError, match=f"x.wav: {message}"):
        audio.read_audio(path, 8000)


@pytest.mark.parametrize("suffix", ["wav", "flac"])
def test_damaged_files_are_refused_in_words(tmp_path, speech, suffix):
    path = tmp_path / f"x.{suffix}"
    soundfile.write(path, speech, 8000, subtype="PCM_16")
    whole = path.read_bytes()
    for content in (b"", b"no audio at all", whole[:30], whole[:2000]):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=rf"x.{suffix}: expected (a readable WAV or FLAC file|all samples)"):
            audio.read_audio(path, 8000)
    with pytest.raises(FileNotFoundError):
        audio.read_audio(tmp_path / "y.wav", 8000)


def test_what_no_wav_can_hold_is_refused(tmp_path):
    for wrong in (np.zeros((2, 3), np.int16), np.zeros(3, np.float32)):
        with pytest.raises(ValueError, match=r"needs samples \(n,\) int16, got"):
            audio.write_wav(tmp_path / "x.wav", wrong, 8000)


def test_a_spectrogram_is_an_image_with_time_to_the_right_and_pitch_upwards():
    mel = np.full((5, 3), np.log(1e-5), np.float32)
    mel[4, 2] = 0.0
    image = np.asarray(audio.spectrogram(mel, scale=2))
    assert image.shape == (6, 10) and image[0, 9] == 255 and image.sum() == 4 * 255


def test_a_space_of_audio_knows_its_range_and_rate():
    space = Space.audio(1024, 8000)
    assert (space.lowest, space.highest, space.dtype, space.rate) == (-32768, 32767, "int16", 8000)
    assert modality_of(space).written == ".wav" and modality_of(Space((1024,))) is VECTORS
    assert space.described() == "(batch, 1024) integers -32768 ... 32767"


def test_windows_and_joined():
    samples = np.arange(10, dtype=np.int16)
    np.testing.assert_array_equal(audio.windows(samples, 4), [[0, 1, 2, 3], [4, 5, 6, 7]])
    np.testing.assert_array_equal(audio.joined(audio.windows(samples, 4)), samples[:8])


def test_without_soundfile_the_extra_is_named():
    code = (
        "import sys; sys.modules['soundfile'] = None\n"
        "from flowzoo.modalities import audio\n"
        "assert 'tensorflow' not in sys.modules\n"
        "audio.decode_audio(b'', 8000, 'x')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert 'pip install "flowzoo[audio]"' in done.stderr


def test_the_synthetic_voice_falls_from_220_to_110_hertz_and_fades():
    voice = audio.voice(8000, 8000)
    assert voice.dtype == np.int16 and abs(voice[[0, -1]]).max() < 20 and 5000 < abs(voice).max() < 32767
    for start, pitch in ((0, 213), (6976, 117)):
        found = abs(np.fft.rfft(voice[start : start + 1024].astype(float) * np.hanning(1024), 8192))
        assert 8000 / 8192 * (60 + found[60:260].argmax()) == pytest.approx(pitch, abs=8)
