"""Audio on the command line: WAV and FLAC in, WAV out, spectrograms of files as a condition."""

import argparse

import numpy as np
import pytest
import soundfile

import flowzoo
from flowzoo import flows
from flowzoo.cli import main, reading
from flowzoo.cli.conditions import add_condition, condition_of
from flowzoo.modalities import audio
from flowzoo.testing import randomized

MEL = {"shape": [4, 5], "modality": "mel"}


@pytest.fixture(scope="module")
def flow():
    return randomized(flows.create("waveflow", event_shape=(256,), condition=MEL, depth=1, hidden=4, blocks=1), 0.1)


@pytest.fixture
def speech(monkeypatch, flow):
    """600 samples in speech.wav: two clips of 256 and a rest."""
    monkeypatch.setattr(flowzoo, "load", lambda name: flow)
    samples = (np.random.default_rng(0).standard_normal(600) * 900).astype(np.int16)
    audio.write_wav("speech.wav", samples, 8000)
    return samples


def test_a_file_is_clips_and_their_spectrograms(flow, speech, capsys):
    x, files = reading.read(["speech.wav"], reading.data(flow))
    np.testing.assert_array_equal(x, speech[:512].reshape(2, 256))
    assert x.dtype == np.int16 and list(files) == ["speech.wav"] * 2
    assert "speech.wav: the last 88 samples do not fill a clip of 256 and are left out" in capsys.readouterr().err
    mel, _ = reading.read(["speech.wav"], reading.condition("condition", flow))
    np.testing.assert_array_equal(mel, audio.log_mel(x, 8000, 5))
    parser = argparse.ArgumentParser()
    add_condition(parser)
    np.testing.assert_array_equal(condition_of(flow, parser.parse_args(["--condition=speech.wav"]), 2), mel)


def test_a_folder_of_audio_is_read_in_order(flow, speech, tmp_path):
    folder = tmp_path / "audio"
    folder.mkdir()
    soundfile.write(folder / "b.flac", speech[:256], 8000, subtype="PCM_16")
    audio.write_wav(folder / "a.wav", speech[256:512], 8000)
    (folder / "c.txt").write_text("no audio")
    x, _ = reading.read([str(folder)], reading.data(flow))
    np.testing.assert_array_equal(x, [speech[256:512], speech[:256]])
    (folder / "a.wav").unlink()
    (folder / "b.flac").unlink()
    with pytest.raises(ValueError, match=r"expected a folder with audio \(.wav, .flac\), found none"):
        reading.read([str(folder)], reading.data(flow))


def test_a_spectrogram_becomes_a_wav_file(flow, speech):
    assert main.main(["sample", "any", "--condition=speech.wav", "--out=again.wav", "--seed=3"]) == 0
    mel = audio.log_mel(speech[:512].reshape(2, 256), 8000, 5)
    expected = flow.sample(2, mel, seed=3)
    np.testing.assert_array_equal(audio.read_audio("again.wav", 8000), np.ravel(expected))


def test_what_does_not_fit_is_refused_in_words(flow, speech, capsys):
    audio.write_wav("short.wav", speech[:200], 8000)
    audio.write_wav("fast.wav", speech, 16000)
    for name, message in (
        ("short.wav", "short.wav: expected at least 256 samples, a clip, got 200"),
        ("fast.wav", "fast.wav: expected 8000 samples per second, got 16000"),
        ("speech.png", "read from a .npy, .csv or .parquet file, a .wav or .flac file, or a folder of such"),
    ):
        with pytest.raises((ValueError, OSError), match=message if name != "speech.png" else "(?s)" + message):
            reading.read([name], reading.data(flow))
    assert main.main(["sample", "any", "--condition=speech.wav", "--out=x.png"]) != 0
    assert "--out must end in .wav, .npy, .csv or .parquet for examples of shape (256,)" in capsys.readouterr().err
