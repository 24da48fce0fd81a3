"""Plots: what is drawn is what the flow draws."""

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import flowzoo
from flowzoo.cards import plots
from flowzoo.modalities import audio

MEAN = np.array([1.0, -2.0], "float32")


@pytest.fixture(scope="module")
def normal():
    """A normal density around `MEAN` with the spreads 0.5 and 2."""
    flow = flowzoo.create("planar", depth=1, standardize=False)
    act = flow.transform.transforms[0]
    act.shift.assign(-MEAN)
    act.log_scale.assign(-np.log([0.5, 2.0]))
    return flow


def test_a_plane_shows_density_and_samples(normal):
    samples = normal.sample(2000, seed=0).numpy()
    figure = plots._plane(normal, [], samples, "2,000 samples", None)
    density, points = figure.axes
    image = density.images[0].get_array()
    left, right, bottom, top = density.images[0].get_extent()
    row, column = np.unravel_index(image.argmax(), image.shape)
    highest = left + (right - left) * column / 199, bottom + (top - bottom) * row / 199
    np.testing.assert_allclose(highest, MEAN, atol=0.05)
    assert image.max() == pytest.approx(1 / (2 * np.pi), rel=1e-3)
    assert image.sum() * (right - left) * (top - bottom) / 199**2 == pytest.approx(1, abs=0.01)
    np.testing.assert_array_equal(points.lines[0].get_xydata(), samples)
    assert [axes.get_title() for axes in figure.axes] == ["density of the flow", "2,000 samples"]


def test_a_known_target_is_the_third_panel(normal):
    target = flowzoo.data.density("rezende_u2")
    figure = plots._plane(normal, [], np.zeros((1, 2)), "", target)
    model, _, true = figure.axes
    assert true.get_title() == "true density" and true.images[0].get_extent() == [-4, 4, -4, 4]
    assert true.images[0].get_array().max() == pytest.approx(np.exp(-2.0821), rel=1e-2)
    assert model.images[0].get_clim() == true.images[0].get_clim()


def test_classes_are_mixed_or_picked():
    flow = flowzoo.create("planar", depth=1, classes=2, hidden=4, standardize=False)
    head = flow.transform.transforms[1].conditioner
    for weight in head.trainable_weights:
        weight.assign_add(np.random.default_rng(0).standard_normal(weight.shape))
    places = np.random.default_rng(1).standard_normal((50, 2)).astype("float32")
    first, second, both = (plots._density(flow, labels, places) for labels in ([0], [1], range(2)))
    assert abs(first - second).max() > 1e-3
    np.testing.assert_allclose(both, (first + second) / 2, rtol=1e-6)


def test_a_table_is_a_pair_plot(tmp_path):
    rng = np.random.default_rng(0)
    samples = rng.standard_normal((3000, 7)).astype("float32")
    samples[:, 3] = 0.0  # without spread
    samples[0, 0] = 1e9  # far out
    figure = plots._pairs(samples, "3,000 samples")
    assert figure._suptitle.get_text() == "3,000 samples, features 1 to 5 of 7"
    assert len(figure.axes) == 25
    axes = np.reshape(figure.axes, (5, 5))
    assert len(axes[1, 1].patches) == plots.BINS and not axes[1, 1].images
    heights = [bar.get_height() for bar in axes[1, 1].patches]
    np.testing.assert_array_equal(heights, np.histogram(samples[:, 1], plots.BINS, axes[1, 1].get_xlim())[0])
    assert max(map(abs, axes[0, 0].get_xlim())) < 5
    counts = np.square(axes[2, 1].images[0].get_array())
    assert counts.sum() == pytest.approx(3000, rel=0.01)
    assert axes[2, 1].get_xlim() == axes[1, 1].get_xlim() and axes[4, 0].axison and not axes[0, 4].axison

    flow = flowzoo.create("nice", event_shape=(3,), depth=2, hidden=4)
    plots.write_plot(flow, tmp_path / "pairs.png", count=500)
    with Image.open(tmp_path / "pairs.png") as figure:
        assert figure.format == "PNG" and figure.width == figure.height


def test_samples_that_are_not_finite_are_refused(normal, tmp_path, monkeypatch):
    monkeypatch.setattr(type(normal), "sample", lambda self, n, *_, **__: tf.fill([n, 2], np.nan))
    with pytest.raises(ValueError, match=r"needs finite samples, got none among 9. `flowzoo.diagnose`"):
        plots.write_plot(normal, tmp_path / "x.png", count=9)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("condition", [None, {"shape": [4, 5], "modality": "mel"}])
def test_audio_is_drawn_as_the_spectrogram_of_its_samples(tmp_path, condition):
    options = {"depth": 1, "hidden": 4, "blocks": 1, "condition": condition}
    flow = flowzoo.create("waveflow", event_shape=(256,), **options)
    plots.write_plot(flow, tmp_path / "x.png", count=3, seed=2)
    given = None
    if condition:
        given = audio.log_mel(audio.windows(audio.voice(768, 8000), 256), 8000, 5)
    expected = audio.spectrogram(audio.log_mel(np.ravel(flow.sample(3, given, seed=2)), 8000, 40).numpy())
    np.testing.assert_array_equal(Image.open(tmp_path / "x.png"), expected)
    assert plots.usual_count(flow) == 16
