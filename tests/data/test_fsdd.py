"""FSDD: the builder and the clips on recordings made here, and the real data set where it is."""

import csv
import dataclasses
import hashlib
import io
import tarfile

import numpy as np
import pytest
import soundfile
import tensorflow as tf

from flowzoo import data
from flowzoo.data import arrays, fsdd, prepare, requirements, specs
from flowzoo.data.clips import Clips
from flowzoo.modalities import audio

NAMES = ("3_theo_0", "0_george_4", "3_theo_5", "9_lucas_7", "1_jackson_8", "2_theo_49", "4_george_20")
LENGTHS = (1148, 2048, 1500, 1024, 3000, 1100, 1024)


def recording(number):
    return np.random.default_rng(number).integers(-3000, 3000, LENGTHS[number]).astype(np.int16)


def flac(samples, rate=8000):
    file = io.BytesIO()
    soundfile.write(file, samples, rate, subtype="PCM_16", format="FLAC")
    return file.getvalue()


def write_folder(folder, monkeypatch, **changed):
    """A `--source_dir` of a few recordings; `changed` holds the content of other files by name."""
    rows = []
    with tarfile.open(folder / "recordings.tar", "w") as tar:
        for number, name in enumerate(NAMES):
            content = changed.get(f"f{number}", flac(recording(number)))
            if content is not None:
                member = tarfile.TarInfo(f"{name}.flac")
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
            sha = hashlib.sha256(recording(number).tobytes()).hexdigest()
            digit, speaker, _ = name.split("_")
            rows.append({"name": name, "digit": digit, "speaker": speaker, "sha256_of_int16": sha})
    with open(folder / "index.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
    monkeypatch.setattr(fsdd, "INDEX_SHA256", hashlib.sha256((folder / "index.csv").read_bytes()).hexdigest())
    return folder


@pytest.fixture
def prepared(tmp_path, monkeypatch):
    """The folder of TFDS with the recordings above."""
    (tmp_path / "source").mkdir()
    folder = write_folder(tmp_path / "source", monkeypatch)
    sizes = {"train": 2 + 1 + 1, "validation": 1 + 1, "test": 1 + 2}
    monkeypatch.setitem(specs._SPECS, "fsdd", dataclasses.replace(data.spec("fsdd"), sizes=sizes))
    prepare.prepare("fsdd", tmp_path / "tfds", source_dir=folder)
    return tmp_path / "tfds"


def test_clips_lie_side_by_side_in_their_recordings_and_come_with_conditions(prepared):
    (x, condition), *others = data.load("fsdd", "test", batch_size=8, conditions=["mel", "label"], data_dir=prepared)
    assert not others and x.dtype == tf.int16
    expected = [recording(0)[:1024], recording(1)[:1024], recording(1)[1024:2048]]
    np.testing.assert_array_equal(x, expected)
    assert condition["label"].numpy().tolist() == [3, 0, 0]
    np.testing.assert_array_equal(condition["mel"], audio.log_mel(np.array(expected), 8000, 40))
    spaces = data.spaces({"name": "fsdd", "bits": 16, "labels": False, "conditions": ["mel", "label"]})
    assert spaces[0].fits(x.shape[1:]) and spaces[1].spaces["mel"].fits(condition["mel"].shape[1:])
    assert data.spec("fsdd").conditions["mel"].shape == audio.mel_space(1024, 8000, 40).shape
    alone = next(iter(data.load("fsdd", "test", batch_size=8, conditions=["mel"], data_dir=prepared)))[1]
    np.testing.assert_array_equal(alone, condition["mel"])
    coarse = next(iter(data.load("fsdd", "test", batch_size=8, bits=8, data_dir=prepared)))
    np.testing.assert_array_equal(coarse, np.array(expected) >> 8)


def test_training_clips_are_cut_anywhere_in_their_recordings_by_seed_epoch_and_example(prepared):
    how = {"epochs": 40, "shift": 1023, "conditions": ["mel"], "data_dir": prepared, "batch_size": 4}
    batches = list(data.load("fsdd", "train", **how).as_numpy_iterator())
    assert len(batches) == 40
    whole = [recording(number) for number in (4, 5, 6)]
    places = [[], [], []]
    for x, mel in batches:
        np.testing.assert_array_equal(mel, audio.log_mel(x, 8000, 40))
        for clip, of in zip(x, (0, 0, 1, 2), strict=True):
            found = np.flatnonzero((np.lib.stride_tricks.sliding_window_view(whole[of], 1024) == clip).all(axis=1))
            assert len(found) == 1
            places[of] += found.tolist()
    assert min(places[0]) < 200 and max(places[0]) > 1776 and len(set(places[0])) > 70
    assert set(places[1]) <= set(range(77)) and len(set(places[1])) > 20 and set(places[2]) == {0}
    rest = list(data.load("fsdd", "train", start_step=7, **how).as_numpy_iterator())
    np.testing.assert_array_equal(rest[0][0], batches[7][0])
    shuffled = next(iter(data.load("fsdd", "train", shuffle=True, **how)))[0].numpy()
    assert {clip.tobytes() for clip in shuffled} == {clip.tobytes() for clip in batches[0][0]}  # the same, in any order


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"f2": flac(recording(3))}, "the samples of 3_theo_5.flac must have sha256"),
        ({"f2": flac(recording(2), 16000)}, "3_theo_5.flac: expected 8000 samples per second, got 16000"),
        ({"f2": flac(recording(2))[:900]}, "3_theo_5.flac: expected"),
        ({"f2": None}, "must hold all recordings, missing 1, first 3_theo_5.flac"),
    ],
)
def test_other_recordings_are_refused(tmp_path, monkeypatch, changed, message):
    folder = write_folder(tmp_path, monkeypatch, **changed)
    with pytest.raises(prepare.FetchError, match=message):
        fsdd.recordings(folder / "recordings.tar", fsdd.read_index(folder / "index.csv"))
    monkeypatch.setattr(fsdd, "INDEX_SHA256", "0" * 64)
    with pytest.raises(prepare.FetchError, match=r"index.csv must have sha256 0{64}, got"):
        fsdd.read_index(folder / "index.csv")


def test_moved_clips_stay_in_their_recording_and_reach_every_place_equally():
    clips = Clips(np.arange(30, dtype=np.int16), [10, 13, 7], 4)
    assert clips.shape == (6, 4) and clips.starts.tolist() == [0, 4, 10, 14, 18, 23]
    moves = tf.range(-3, 4)
    starts = clips.held().cut(tf.fill([7], 1), moves, 3).numpy()[:, 0]  # its own place is 4, the last one 6
    assert starts.tolist() == [1, 1, 2, 3, 4, 5, 6]
    assert clips.cut(tf.constant(5), tf.constant(3), 3).numpy().tolist() == [26, 27, 28, 29]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"conditions": ["mel", "mel"]}, r"`dataset.conditions` must be some of \['label', 'mel'\] for 'fsdd', each"),
        ({"conditions": ["pitch"]}, r"`dataset.conditions` must be some of .* got \['pitch'\]"),
        ({"conditions": ["mel"], "labels": True}, "give `dataset.labels` or `dataset.conditions`, not both"),
    ],
)
def test_conditions_that_a_data_set_lacks_are_refused(wrong, message):
    @dataclasses.dataclass
    class Wanted:
        dataset: dict
        training: list = dataclasses.field(default_factory=list)
        source: str = "x.json"

    dataset = {"name": "fsdd", "bits": 16, "labels": False}
    requirements.require_dataset(Wanted(dataset | {"conditions": ["mel"]}))
    with pytest.raises(ValueError, match=message):
        requirements.require_dataset(Wanted(dataset | wrong))
    if not wrong.get("labels"):
        with pytest.raises(ValueError, match="`conditions` must be some of"):
            data.load("fsdd", **wrong)


def test_the_real_data_set():
    try:
        parts = {split: arrays.read("fsdd", split) for split in ("train", "validation", "test")}
    except data.MissingDataError as error:
        pytest.skip(str(error))
    found = {split: (len(x), len(set(x.recording)), x.samples.size) for split, (x, _) in parts.items()}
    assert found == {"train": (7375, 2520, 8834603), "validation": (529, 180, 629791), "test": (860, 300, 1034030)}
    assert all(np.bincount(labels).min() >= 40 for _, labels in parts.values())
