"""The share of digits that are read: by the judge itself, and in samples of flows of which it is known."""

import dataclasses
import io
import runpy
import types

import numpy as np
import pytest

from flowzoo import data
from flowzoo.core.errors import CheckpointError
from flowzoo.data.clips import Clips
from flowzoo.hub.presets import read_preset
from flowzoo.measure import judge
from flowzoo.measure.digits_read import DigitsRead
from flowzoo.measure.examples import official_test
from flowzoo.measure.subject import Subject
from flowzoo.modalities import audio

PRESET = read_preset("waveflow-fsdd")
ACCURACY = 0.99  # of real test recordings, as docs/experiments/fsdd.md states


class Sampled:
    """In place of a flow: its samples are what `waveforms` makes of the seed."""

    x_space, condition = data.spaces(PRESET.dataset)

    def __init__(self, waveforms):
        self.waveforms = waveforms

    def sample(self, n, condition, temperature, seed):
        assert len(condition) == n and temperature == 1.0
        return types.SimpleNamespace(numpy=lambda: self.waveforms(seed)[:n])


def noise(seed):
    return np.random.default_rng(seed).integers(-3000, 3000, (860, 1024)).astype(np.int16)


@pytest.fixture(scope="module")
def recorded():
    """The test clips with their spectrograms."""
    try:
        return official_test(PRESET)
    except data.MissingDataError as error:
        pytest.skip(str(error))


def test_real_recordings_are_read_and_noise_by_chance(recorded):
    def measured(waveforms, **how):
        subject = Subject(PRESET, Sampled(waveforms), {"test": recorded}, weights="ema", **how)
        assert DigitsRead().applies(subject)
        return DigitsRead().recorded(DigitsRead().measure(subject))

    same, chance = measured(lambda seed: recorded[0]), measured(noise, seed=3)
    assert same["value"] == same["real_digits_read"] == pytest.approx(ACCURACY, abs=0.007)
    assert (same["examples"], same["split"], same["draws"]) == (300, "test", 1)
    assert abs(chance["value"] - 0.1) < 0.03 and chance["real_digits_read"] == same["value"] and chance["seed"] == 3
    assert chance["standard_error"] == pytest.approx((0.09 / 300) ** 0.5, rel=0.2)
    few = measured(lambda seed: recorded[0], limit=100)
    assert 20 < few["examples"] < 60 and few["value"] > 0.9


def test_a_part_of_the_test_clips_is_left_out_as_they_are_in_the_order_of_their_digits():
    clips = {"test": (np.zeros((5, 1024), np.int16), np.zeros((5, 16, 40), np.float32))}
    why = {limit: DigitsRead().left_out(Subject(PRESET, None, clips, limit=limit)) for limit in (None, 4, 5)}
    assert why[4].startswith("digits_read: the first 4 test clips are of few digits") and not why[None] + why[5]


def test_it_applies_to_waveforms_given_their_spectrograms():
    empty = {"test": (np.zeros((0, 1024), np.int16), np.zeros((0, 16, 40), np.float32))}
    assert DigitsRead().applies(Subject(PRESET, Sampled(noise), empty))
    assert not DigitsRead().applies(Subject(PRESET, Sampled(noise), {}))
    assert not DigitsRead().applies(Subject(read_preset("glow-fashion-mnist"), Sampled(noise), empty))
    coarse = PRESET.dataset | {"conditions": ["label"]}
    alone = types.SimpleNamespace(x_space=Sampled.x_space, condition=data.spaces(coarse)[1])
    assert not DigitsRead().applies(Subject(PRESET, alone, empty))


def test_a_recording_is_read_by_its_sound_alone():
    reader, digest = judge.load()
    assert len(digest) == 64
    voices = [audio.voice(1024 * count, rate) for count, rate in ((2, 8000), (1, 6000), (2, 16000), (3, 9000))]
    clips, recording = np.concatenate([voice.reshape(-1, 1024) for voice in voices]), [0, 0, 4, 5, 5, 7, 7, 7]
    digits = judge.read(reader, clips, np.array(recording))
    alone = [judge.read(reader, voice.reshape(-1, 1024), np.zeros(len(voice) // 1024)) for voice in voices]
    assert digits.tolist() == np.concatenate(alone).tolist() and len(set(digits.tolist())) > 1
    np.testing.assert_allclose(judge.heard(voices[0][None] / 4.0), judge.heard(voices[0][None]), atol=1e-3)


def test_a_card_of_another_judge_is_refused():
    entry = {"value": 0.8, "standard_error": 0.023, "draws": 1, "seed": 0, "split": "test", "examples": 300}
    entry |= {"temperature": 1.0, "weights": "ema", "real_digits_read": 0.98, "judge": "a" * 64}
    card = dataclasses.replace(PRESET, metrics={"digits_read": entry})

    def checked(**changed):
        now = entry | changed
        value, error = now.pop("value"), now.pop("standard_error")
        (check,) = DigitsRead().compare(card, types.SimpleNamespace(value=value, standard_error=error, protocol=now))
        return check

    assert checked(value=0.805).ok and not checked(value=0.78).ok
    assert checked(value=0.7, examples=30).ok and not checked(value=0.5, examples=30).ok
    other = checked(judge="b" * 64)
    assert not other.ok and other.measured is None
    assert f"must have the card's sha256 {'a' * 64}, got {'b' * 64}" in other.protocol


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda content: None, "No such file"),
        (lambda content: b"", "No data left"),
        (lambda content: content[:-30], "not a zip file"),
        (lambda content: content[:20000] + bytes([content[20000] ^ 1]) + content[20001:], "Bad CRC-32"),
        (lambda content: saved(digits=np.zeros(3)), "hidden_0/kernel is not a file in the archive"),
        (
            lambda content: saved(**{"hidden_0/kernel": np.zeros((5, 40, 8))}),
            "of shape (5, 40, 8) instead of",
        ),
    ],
)
def test_weights_that_are_missing_or_damaged_are_refused(tmp_path, damage, words):
    path, content = tmp_path / "fsdd.npz", damage(judge.WEIGHTS.read_bytes())
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"fsdd.npz must hold the 8 arrays of the judge of fsdd, got: ") as error:
        judge.load(path)
    assert words in str(error.value) and "python tools/train_judge.py" in str(error.value)


def saved(**content):
    file = io.BytesIO()
    np.savez(file, **content)
    return file.getvalue()


def test_training_learns_to_tell_tones_apart():
    tool = runpy.run_path("tools/train_judge.py")
    random = np.random.default_rng(0)
    lengths, spoken = random.integers(1100, 2500, 60), np.arange(60) % 2
    pitch = np.repeat(400 + 900 * spoken, lengths)
    tones = np.round(3000 * np.sin(2 * np.pi * pitch / 8000 * np.arange(len(pitch)))).astype(np.int16)
    clips = Clips(tones, lengths, 1024)
    labels = spoken[clips.recording]
    *_, (network, loss) = tool["training"](clips, labels, 3)
    assert tool["share"](network, clips, labels) == 1.0 and loss < 2.0
