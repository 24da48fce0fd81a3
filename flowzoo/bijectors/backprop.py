"""Back-propagation through a chain without keeping all that its steps computed.

"store" keeps everything, as TensorFlow does. "remat" keeps the input of each step and computes the step again on the
way back. "reversible" keeps only the end of the chain and finds the input of each step by inverting it, so that the
memory hardly grows with the number of steps. A step is some transforms up to and including one with a network.

References: Chen et al. 2016, Training deep nets with sublinear memory cost, arXiv:1604.06174 (remat);
Gomez et al. 2017, The reversible residual network, arXiv:1707.04585 (reversible).
"""

from __future__ import annotations

import contextlib
import contextvars
import itertools
from collections.abc import Iterator, Sequence

import tensorflow as tf

from flowzoo.core.transform import Transform, add_log_dets

MODES = ("store", "remat", "reversible")
ANCHOR = 8  # "reversible" keeps the input of each so many steps, lest rounding errors grow from inverse to inverse

_mode = contextvars.ContextVar("backprop", default="store")


@contextlib.contextmanager
def backprop(mode: str) -> Iterator[None]:
    """Chains encoded within propagate gradients back by this mode; a pure Python switch, seen when a graph is traced.

    Raises:
      ValueError: there is no such mode.
    """
    token = _mode.set(check_mode(mode))
    try:
        yield
    finally:
        _mode.reset(token)


def check_mode(mode: str, what: str = "backprop") -> str:
    """Returns one of `MODES`, or raises."""
    if mode not in MODES:
        raise ValueError(f"`{what}` must be one of {list(MODES)}, got {mode!r}.")
    return mode


def parts(transforms: Sequence[Transform]) -> list[tuple[int, Transform | Run]]:
    """The transforms of a chain with their places; runs of them become one `Run` where the mode asks for it."""
    numbered = list(enumerate(transforms))
    if _mode.get() == "store":
        return numbered
    found = []
    for (apart, _), group in itertools.groupby(numbered, lambda pair: _kind(pair[1])):
        group = list(group)
        first = group[0][0]
        found += group if apart else [(first, Run([t for _, t in group], invert=_mode.get() == "reversible"))]
    return found


class Run:
    """Consecutive transforms whose `encode` has a gradient of its own: one step at a time, from the last to the first.

    Networks must compute the same when asked again.

    Args:
      transforms: of one dtype, none of which manages memory or draws noise.
      invert: find the input of each step that is `reversible` by decoding its output; otherwise it is kept.

    Raises:
      ValueError: a network has dropout or the like.
    """

    draws = frozenset()

    def __init__(self, transforms: Sequence[Transform], invert: bool):
        self.steps, step = [], []
        for transform in transforms:
            if step and step[-1].reversible != transform.reversible:
                self.steps, step = [*self.steps, step], []
            step.append(transform)
            if _networks(transform):
                self.steps, step = [*self.steps, step], []
        self.steps += [step] if step else []
        self.invert, self.dtype = invert, transforms[0].compute_dtype

    def encode(self, x: tf.Tensor, condition: tf.Tensor | None = None, seed=None) -> tuple[tf.Tensor, tf.Tensor]:
        """As `Transform.encode`."""
        x = tf.cast(x, self.dtype)
        return tf.custom_gradient(self._encode)(x, *([] if condition is None else [tf.convert_to_tensor(condition)]))

    def _encode(self, x, *condition):
        kept, log_dets = [], []
        for step in self.steps:
            found_later = self.invert and step[0].reversible and (not kept or len(kept) % ANCHOR)
            kept.append(None if found_later else x)
            x, log_det = _encoded(step, x, *condition)
            log_dets.append(log_det)
        end = x

        def gradient(dz, dlog_det, variables=()):
            z, known = end, [dz, dlog_det]
            of_condition, of_weights = [tf.zeros_like(part) for part in condition], {}
            for step, x in zip(reversed(self.steps), reversed(kept), strict=True):
                z = _after(known, z if x is None else x)
                x = tf.stop_gradient(_decoded(step, z, *condition) if x is None else z)
                with tf.GradientTape() as tape:
                    tape.watch([x, *condition])
                    outputs = _encoded(step, x, *condition)
                weights = tape.watched_variables()
                known = tape.gradient(outputs, [x, *condition, *weights], output_gradients=[dz, dlog_det])
                dz, *rest = known
                of_condition = [_sum(*pair) for pair in zip(of_condition, rest, strict=False)]
                for weight, value in zip(weights, rest[len(condition) :], strict=True):
                    of_weights[weight.ref()] = _sum(of_weights.get(weight.ref()), value)
                z, known = x, [value for value in known if value is not None]
            inputs = [dz, *of_condition]
            return (inputs, [of_weights.get(weight.ref()) for weight in variables]) if variables else inputs

        return (end, add_log_dets(log_dets)), gradient


def _kind(transform):
    return transform.manages_memory or bool(transform.draws), transform.compute_dtype


def _encoded(step, x, *condition):
    log_dets = []
    for transform in step:
        x, log_det = transform.encode(x, *condition)
        log_dets.append(log_det)
    return x, add_log_dets(log_dets)


def _decoded(step, z, *condition):
    for transform in reversed(step):
        z, _ = transform.decode(z, *condition)
    return z


def _after(known, value):
    """`value`, not before all of `known`: TensorFlow would recover many inputs at once, or keep steps for later."""
    with tf.control_dependencies(known):
        value = tf.identity(value)
    first = tf.reduce_max(tf.reshape(known[0], [-1])[:1])  # XLA minds data only, so add a zero that it can't foresee
    return value + tf.cast(tf.where(tf.math.is_nan(first), first, tf.zeros_like(first)), value.dtype)


def _sum(first, second):
    return second if first is None else first if second is None else first + second


def _networks(transform):
    networks = list(transform._flatten_layers(include_self=False))
    for layer in networks:
        if getattr(layer, "seed_generator", None) is not None:
            raise ValueError(
                f"`backprop` must be 'store' for networks that do not compute the same twice, got a "
                f"{type(layer).__name__} in {type(transform).__name__}."
            )
    return networks
