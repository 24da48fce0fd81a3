"""Backpropagation through a chain without keeping everything that its steps computed.

"store" keeps everything, as TensorFlow does. "remat" keeps the input of each step and recomputes the step in the
backward pass. "reversible" keeps only the end of the chain and recovers the input of each step by inverting it, so that
memory hardly grows with the number of steps. A step is a sequence of transforms, the last of them with a network.

References: Chen et al. 2016, Training deep nets with sublinear memory cost, arXiv:1604.06174 (remat);
Gomez et al. 2017, The reversible residual network, arXiv:1707.04585 (reversible).
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import tensorflow as tf

from flowzoo.core.context import PENALTY, Context
from flowzoo.core.transform import Transform, add_log_dets, encode_in_turn

MODES = ("store", "remat", "reversible")
ANCHOR = 8  # "reversible" keeps the input of every ANCHOR-th step, lest rounding errors grow from inverse to inverse


def check_mode(mode: str, what: str = "backprop") -> str:
    """Returns one of `MODES`, or raises."""
    if mode not in MODES:
        raise ValueError(f"`{what}` must be one of {list(MODES)}, got {mode!r}.")
    return mode


def parts(transforms: Sequence[Transform], mode: str) -> list[tuple[int, Transform | Run]]:
    """The transforms of a chain with their places; runs of them become one `Run` where the mode asks for it.

    Raises:
      ValueError: `mode` is not one of `MODES`.
    """
    numbered = list(enumerate(transforms))
    if check_mode(mode, "memory") == "store":
        return numbered
    found = []
    for (apart, _), group in itertools.groupby(numbered, lambda pair: _kind(pair[1])):
        group = list(group)
        first = group[0][0]
        found += group if apart else [(first, Run([t for _, t in group], invert=mode == "reversible"))]
    return found


class Run:
    """Consecutive transforms whose `encode` has a gradient of its own: one step at a time, from the last to the first.

    Networks must compute the same when called again. It stands at the place of its first transform.

    Args:
      transforms: of one dtype, none of which manages memory or draws noise.
      invert: find the input of each step that is `reversible` by decoding its output; otherwise it is kept.

    Raises:
      ValueError: a network has dropout or the like.
    """

    def __init__(self, transforms: Sequence[Transform], invert: bool):
        self.steps, step = [], []  # a step is a list of (places after the first, transform)
        for numbered in enumerate(transforms):
            transform = numbered[1]
            if step and step[-1][1].reversible != transform.reversible:
                self.steps, step = [*self.steps, step], []
            step.append(numbered)
            if _networks(transform):
                self.steps, step = [*self.steps, step], []
        self.steps += [step] if step else []
        self.invert, self.dtype = invert, transforms[0].compute_dtype

    def encode(self, x: tf.Tensor, condition: tf.Tensor | None, context: Context) -> tuple[tf.Tensor, tf.Tensor]:
        """As `Transform.encode`."""
        x, given, names = tf.cast(x, self.dtype), [] if condition is None else [tf.convert_to_tensor(condition)], []
        z, log_det, *notes = tf.custom_gradient(lambda *inputs: self._encode(context, names, *inputs))(x, *given)
        context.join(dict(zip(names, notes, strict=True)))
        return z, log_det

    def _encode(self, context, names, x, *condition):
        """Outputs and gradient; appends to `names` those of the notes among the outputs."""
        own, kept, log_dets = context.apart(), [], []
        for step in self.steps:
            found_later = self.invert and _reversible(step) and (not kept or len(kept) % ANCHOR)
            kept.append(None if found_later else x)
            x, log_det = _encoded(step, own, x, *condition)
            log_dets.append(log_det)
        end, notes = x, own.notes
        names += notes

        def gradient(dz, dlog_det, *of_notes, variables=()):
            z, known = end, [dz, dlog_det]
            dpenalty = dict(zip(notes, of_notes, strict=True)).get(PENALTY)  # the other notes stop gradients
            of_condition, of_weights = [tf.zeros_like(part) for part in condition], {}
            for step, x in zip(reversed(self.steps), reversed(kept), strict=True):
                z = _after(known, z if x is None else x)
                x, again = tf.stop_gradient(_decoded(step, context, z, *condition) if x is None else z), context.apart()
                with tf.GradientTape() as tape:
                    tape.watch([x, *condition])
                    outputs = _encoded(step, again, x, *condition)
                    penalties = [again.notes[PENALTY]] if PENALTY in again.notes else []
                weights, upstream = tape.watched_variables(), [dz, dlog_det, *[dpenalty] * len(penalties)]
                known = tape.gradient([*outputs, *penalties], [x, *condition, *weights], output_gradients=upstream)
                dz, *rest = known
                of_condition = [_sum(*pair) for pair in zip(of_condition, rest, strict=False)]
                for weight, value in zip(weights, rest[len(condition) :], strict=True):
                    of_weights[weight.ref()] = _sum(of_weights.get(weight.ref()), value)
                z, known = x, [value for value in known if value is not None]
            inputs = [dz, *of_condition]
            return (inputs, [of_weights.get(weight.ref()) for weight in variables]) if variables else inputs

        return (end, add_log_dets(log_dets), *notes.values()), gradient


def _kind(transform):
    return transform.manages_memory or bool(transform.draws), transform.compute_dtype


def _reversible(step):
    return step[0][1].reversible


def _encoded(step, context, x, *condition):
    return encode_in_turn(step, x, *(condition or [None]), context.beside)


def _decoded(step, context, z, *condition):
    context = context.apart()  # notes of the backward pass are dropped
    for places, transform in reversed(step):
        z, _ = transform.decode(z, *(condition or [None]), context.beside(places))
    return z


def _after(known, value):
    """`value`, only after all of `known`: else TensorFlow would recover many inputs at once, or put off steps."""
    with tf.control_dependencies(known):
        value = tf.identity(value)
    first = tf.reduce_max(tf.reshape(known[0], [-1])[:1])  # XLA orders by data alone, so add a zero that it can't fold
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
