"""Targets with known density: they integrate to 1, and the examples are drawn from them."""

import numpy as np
import pytest

from flowzoo import data
from flowzoo.data import arrays, energies, prepare

NAMES = sorted(energies.DENSITIES)
FIRST = {  # of each split of rezende_u1
    "train": [-0.9724504351615906, -1.223651647567749],
    "validation": [2.286255121231079, -0.12540514767169952],
    "test": [-1.672664761543274, -0.95194411277771],
}


@pytest.mark.parametrize("name", NAMES)
def test_the_density_integrates_to_one_at_any_resolution(name):
    target = data.density(name)
    for nodes in (312, 700):  # divisible by 4, so that no square of the checkerboard is cut
        width = 8 / nodes
        middles = width * (np.arange(nodes) + 0.5) - 4
        x = np.stack(np.meshgrid(middles, middles), axis=-1).reshape(-1, 2)
        assert np.exp(target.log_prob(x)).sum() * width**2 == pytest.approx(1, abs=1e-5)
    assert np.isneginf(target.log_prob(np.array([[0.0, 4.01], [-4.01, 0.0]]))).all()
    assert np.exp(-target.energy(x[:, 0], x[:, 1])).max() <= target.ceiling


@pytest.mark.parametrize(
    ("name", "point", "energy"),
    [
        ("rezende_u1", (2.0, 0.0), -np.log(1 + np.exp(-0.5 * (4 / 0.6) ** 2))),
        ("rezende_u2", (1.0, 0.2), 0.5 * (0.8 / 0.4) ** 2),
        ("rezende_u3", (1.0, 0.5), -np.log(np.exp(-0.5 * (0.5 / 0.35) ** 2) + np.exp(-0.5 * (2.5 / 0.35) ** 2))),
        ("rezende_u4", (1.0, 0.5), -np.log(np.exp(-0.5 * (0.5 / 0.4) ** 2) + np.exp(-0.5 * (1.0 / 0.35) ** 2))),
    ],
)
def test_the_energies_are_the_papers(name, point, energy):
    assert data.density(name).energy(*np.float64(point)) == pytest.approx(energy, abs=1e-12)


@pytest.mark.parametrize(("name", "side", "entropy"), [("checkerboard", 4, np.log(32)), ("eight_gaussians", 6, 2.832)])
def test_entropies_are_known(name, side, entropy):
    """Without their overlap, that of the Gaussians would be log 8 + log(2 pi e / 8), 2.838."""
    middles = 2 * side / 800 * (np.arange(800) + 0.5) - side
    energy = data.density(name).energy(middles[:, None], middles)
    p = np.exp(-energy)
    mass = p.sum() * (2 * side / 800) ** 2
    mean = np.where(p > 0, p * np.where(p > 0, energy, 0), 0).sum() / p.sum()
    assert mean + np.log(mass) == pytest.approx(entropy, abs=1e-3)


@pytest.mark.parametrize("name", NAMES)
def test_the_examples_fit_the_density(name):
    x, labels = arrays.read(name, "test")
    assert labels is None and x.dtype == np.float32 and x.shape == (50_000, 2) and not x.flags.writeable
    bins, fine = 16, 40
    middles = 8 / (bins * fine) * (np.arange(bins * fine) + 0.5) - 4
    grid = np.stack(np.meshgrid(middles, middles, indexing="ij"), axis=-1).reshape(-1, 2)
    mass = np.exp(data.density(name).log_prob(grid)).reshape(bins, fine, bins, fine).mean((1, 3)) * (8 / bins) ** 2
    expected = len(x) * mass
    counts = np.histogram2d(*x.T, bins=bins, range=[[-4, 4]] * 2)[0]
    large = expected > 5
    few = counts[~large].sum(), expected[~large].sum()  # one cell for all that are nearly empty
    rest = (few[0] - few[1]) ** 2 / few[1] if few[1] else few[0]
    chi2 = ((counts - expected)[large] ** 2 / expected[large]).sum() + rest
    degrees = large.sum()
    assert abs(chi2 - degrees) < 4 * np.sqrt(2 * degrees)


def test_examples_are_the_same_on_every_machine_and_splits_differ():
    assert {split: arrays.read("rezende_u1", split)[0][0].tolist() for split in FIRST} == FIRST
    assert arrays.read("rezende_u1", "train")[0] is arrays.read("rezende_u1", "train", "elsewhere")[0]


def test_the_pipeline_needs_no_files(tmp_path):
    batch = next(data.load("rezende_u3", "train", batch_size=8, shuffle=True, data_dir=tmp_path).as_numpy_iterator())
    known = {row.tobytes() for row in arrays.read("rezende_u3", "train")[0]}
    assert batch.dtype == np.float32 and all(row.tobytes() in known for row in batch)
    assert prepare.prepare("rezende_u3", tmp_path) is None and not list(tmp_path.iterdir())
    with pytest.raises(ValueError, match=r"`source_dir` must be None for 'rezende_u3', .*: it is drawn in memory"):
        prepare.prepare("rezende_u3", source_dir=tmp_path)


def test_of_stored_data_sets_nobody_knows_the_density():
    assert data.density("bsds300") is None
    assert {name for name in data.names() if data.spec(name).drawn} == set(NAMES)
