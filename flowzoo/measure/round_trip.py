"""How exactly a flow inverts: on its data, on its samples and on what is neither.

Reference: Behrmann et al. 2021, Understanding and mitigating exploding inverses in invertible neural networks,
arXiv:2006.09347.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from flowzoo.core import random
from flowzoo.core.context import Context

if TYPE_CHECKING:
    from flowzoo.measure.examples import Examples
    from flowzoo.models.flow import Flow

COUNT = 64  # rows of each kind of input
FAR = 5.0  # times the test examples, of continuous data
EXPLODED = 10.0  # data ranges, of integers: no flow is asked to invert so far from its data


def round_trips(flow: Flow, test: Examples | None) -> dict[str, dict[str, Any]]:
    """What becomes of data that go through encode and decode, as a card's certificate has it.

    Args:
        flow: the flow.
        test: the test split, of which the first `COUNT` examples are taken; without it only the samples are measured,
            and for images also the inputs out of distribution.

    Returns:
        For each kind of input: what it is, how many, the largest |decode(encode(y)) - y|, the largest
        |log_det of encode + log_det of decode| in nats, both of the rows that stay finite, and the share of the others.
        Integers that became numbers beyond `EXPLODED` data ranges are left out; their share is stated if there are any.
        Where decode draws, as that of surjections does, y is what it draws for the z of the input, and draws again.
        Empty for a flow that inverts in neither way, or that is left with nothing but noise.
    """
    if not flow.raw.inverts and not flow.raw.recovers_latents:
        return {}
    any_condition = flow.condition.in_turn(COUNT)
    errors = _errors(flow) if flow.raw.inverts else _errors_of_drawn(flow)
    return {
        kind: {"inputs": what} | _summary(*errors(y, flow.raw.features(condition)), _exploded(flow, y))
        for kind, what, y, condition in _inputs(flow, test, any_condition)
    }


def _inputs(flow: Flow, test: Examples | None, any_condition: Any) -> Iterator[tuple]:
    """Kind, description, y after dequantization, condition."""
    if test is not None:
        x, condition = test[0][:COUNT], flow.condition.rows(test[1], slice(COUNT))
        yield "test", f"the first {len(x)} of the test split", _dequantized(flow, x, condition), condition
    yield "sampled", f"{COUNT} samples at T = 1, seed 0", _sampled(flow, any_condition), any_condition
    if not flow.raw.inverts:
        return  # where x is outside a support, what decode draws for its z is not
    if flow.x_space.values:
        what = f"{COUNT // 2} of uniform noise, seed 0, and {COUNT // 2} of one value each, from lowest to highest"
        yield "out_of_distribution", what, _dequantized(flow, _strange(flow), any_condition), any_condition
    elif test is not None:
        what = f"the first {len(x)} of the test split times {FAR:g}"
        yield "out_of_distribution", what, _dequantized(flow, FAR * x, condition), condition


def _strange(flow: Flow) -> np.ndarray:
    """Noise and constants of integer data, (COUNT, *event_shape)."""
    low, top, shape, half = flow.x_space.lowest, flow.x_space.highest, flow.x_space.shape, COUNT // 2
    noise = np.random.default_rng(0).integers(low, top + 1, (half, *shape))
    constants = np.round(np.linspace(low, top, half)).reshape(-1, *(1 for _ in shape)) * np.ones(shape)
    return np.concatenate([noise, constants]).astype(flow.data_dtype)


def _dequantized(flow: Flow, x: np.ndarray, condition: np.ndarray | None) -> tf.Tensor:
    x, condition = flow.intake.tensors(x, condition)
    return flow.raw.dequantized(x, flow.raw.features(condition), flow.raw.as_seed(0))


def _sampled(flow: Flow, condition: Any) -> tf.Tensor:
    """Samples at T = 1 before they are rounded to native integers."""
    seeds, ones, ready = random.row_seeds(0, COUNT), tf.ones(COUNT), flow.raw.features(condition)
    if not flow.raw.inverts:
        return flow.raw.sample_graph(seeds, ones, condition)
    bijection, z = flow.bijection, flow.base.sample(seeds, ones, ready)
    return tf.function(bijection.decode, autograph=False)(z, ready)[0]


def _errors(flow: Flow) -> Callable:
    """A function of y, data after dequantization: of each row both errors, and whether all is finite."""
    bijection = flow.bijection

    @tf.function(autograph=False)
    def errors(y, condition):
        z, log_det = bijection.encode(y, condition)
        again, back = bijection.decode(z, condition)
        return _largest(again - y, log_det + back)

    return errors


def _errors_of_drawn(flow: Flow) -> Callable:
    """As `_errors`, of what decode draws for the z of y; it draws the same, such as a sign, when it decodes again."""
    transform = flow.transform

    @tf.function(autograph=False)
    def errors(y, condition):
        z, _ = transform.encode(y, condition, flow.raw.context(y, flow.raw.as_seed(0)))
        streams = random.hash_rows(z)
        y, _ = transform.decode(z, condition, Context(streams))
        z, log_det = transform.encode(y, condition, flow.raw.context(y, flow.raw.as_seed(0)))
        again, back = transform.decode(z, condition, Context(streams))
        return _largest(again - y, log_det + back)

    return errors


def _largest(differences: tf.Tensor, off: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    differences, off = tf.reshape(tf.abs(differences), [tf.shape(off)[0], -1]), tf.abs(off)
    finite = tf.reduce_all(tf.math.is_finite(differences), axis=1) & tf.math.is_finite(off)
    return tf.reduce_max(differences, axis=1), off, finite


def _exploded(flow: Flow, y: tf.Tensor) -> np.ndarray:
    """Which rows lie far beyond the data range, which continuous data don't have."""
    furthest = tf.reduce_max(tf.abs(tf.reshape(y, [tf.shape(y)[0], -1])), axis=1).numpy()
    return (furthest > EXPLODED) & (flow.x_space.values > 0)


def _summary(largest: tf.Tensor, off: tf.Tensor, finite: tf.Tensor, exploded: np.ndarray) -> dict[str, Any]:
    """`certificate.ROUND_TRIP` but for the inputs; no errors if no row is finite."""
    found, sound = {"examples": len(exploded)}, finite.numpy() & ~exploded
    if sound.any():
        found["reconstruction_error"] = float(largest.numpy()[sound].max())
        found["log_det_error"] = float(off.numpy()[sound].max())
    found["non_finite_rate"] = float(1.0 - finite.numpy().mean())
    return found | ({"exploded_rate": float(exploded.mean())} if exploded.any() else {})


def reconstruction_error(flow: Flow, x: np.ndarray, condition: np.ndarray | None = None) -> float:
    """The largest |decode(encode(y)) - y| over all entries of x after dequantization, in units of the data range."""
    batches = [slice(start, start + 64) for start in range(0, len(x), 64)]
    errors = [flow.reconstruction_error(x[b], flow.condition.rows(condition, b)) for b in batches]
    return float(np.max([np.max(error) for error in errors]))  # NumPy's max keeps a NaN, Python's loses it


def reconstructed(flow: Flow, x: np.ndarray, condition: Any = None) -> Iterator[str]:
    """What becomes of scored examples that go to the latent and back, by each way that the model offers; in words."""
    unit = "of the data range" if flow.x_space.values else "in units of the data"
    if flow.raw.inverts:
        error = reconstruction_error(flow, x, condition)
        yield f"reconstructed {len(x)} of them by encode and decode: largest error {error:.1e} {unit}"
    if "reconstruct" in flow.offers:
        latents, span = math.prod(flow.latent_shape), max(flow.x_space.values - 1, 1)
        error = np.abs(flow.reconstruct(x, condition).numpy() - x).mean() / span
        yield f"reconstructed {len(x)} of them from {latents} latents: mean error {error:.1e} {unit}"
