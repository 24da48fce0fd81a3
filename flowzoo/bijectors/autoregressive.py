"""Autoregressive flows: each feature is mapped by parameters computed from those before it."""

from __future__ import annotations

import tensorflow as tf

from flowzoo.bijectors.scalar import ScalarMap
from flowzoo.core.graphs import is_for_xla
from flowzoo.core.transform import AutoregressiveConditioner, Bijector, sum_event

UNROLLED = 8  # features per turn of the loop in a graph, where its bookkeeping costs as much as a feature


class Autoregressive(Bijector):
    """z_i = scalar(x_i; conditioner(the x before it, condition)): encode is one pass, decode goes feature by feature.

    As it stands it is the layer of a masked autoregressive flow, with fast densities; `Invert` makes it that of an
    inverse autoregressive flow, with fast samples. The slow direction computes each unit of the network once, not D
    times.

    Args:
      conditioner: a `MADE` or similar, with `scalar.outputs_per_entry` outputs for each feature.
      scalar: `Affine`, `RationalQuadratic` or similar.

    Raises:
      TypeError: the conditioner can't step feature by feature.
      ValueError: the conditioner gives another number of outputs.

    References: Papamakarios et al. 2017, Masked autoregressive flow, arXiv:1705.07057; Kingma et al. 2016, Improving
    variational inference with inverse autoregressive flow, arXiv:1606.04934.
    """

    needed = ("order", "start", "step")  # of the conditioner, besides a full pass
    usual = "MADE"

    def __init__(
        self,
        conditioner: AutoregressiveConditioner,
        scalar: ScalarMap,
        *,
        dtype: str = "float32",
        name: str | None = None,
    ):
        if not all(hasattr(conditioner, name) for name in self.needed):
            raise TypeError(f"`conditioner` must be a {self.usual} or similar, got {type(conditioner).__name__}.")
        super().__init__(conditioner.input_event_shape, dtype=dtype, name=name)
        *places, features = self.event_shape
        expected = (*places, scalar.outputs_per_entry * features)
        if tuple(conditioner.output_event_shape) != expected:
            raise ValueError(
                f"{type(self).__name__}: the conditioner must give {expected} per example, "
                f"got {tuple(conditioner.output_event_shape)}."
            )
        self.conditioner, self.scalar = conditioner, scalar

    @property
    def samples_by_xla(self) -> bool:
        return getattr(self.scalar, "samples_by_xla", True)  # for its loop; a user's map need not state it

    def _encode(self, x, condition):
        z, log_slope = self.scalar.encode(x, tf.cast(self.conditioner(x, condition), self.compute_dtype))
        return z, sum_event(log_slope)

    def _decode(self, z, condition):
        features, order = self.event_shape[0], self.conditioner.order
        unrolled = 1 if is_for_xla() else UNROLLED
        batch = tf.shape(z)[0]
        columns = tf.gather(tf.transpose(z), order)  # (D, batch) by degree
        tables, state = self.conditioner.start(batch, condition)

        def one(i, value, log_det, found, *state):
            raw, state = self.conditioner.step(i, value, tables, state)
            value, log_slope = self.scalar.decode(tf.gather(columns, i), tf.cast(raw, self.compute_dtype))
            return i + 1, value, log_det + log_slope, found.write(i, value), *state

        def several(*carried):
            for _ in range(unrolled):
                carried = one(*carried)
            return carried

        turns, zeros = features // unrolled, tf.zeros([batch], z.dtype)
        found = tf.TensorArray(z.dtype, features, element_shape=z.shape[:1]) if turns else _Found()
        carried = (tf.constant(0), zeros, zeros, found, *state)
        if turns:  # XLA has no gradient of a loop without turns
            carried = tf.while_loop(
                lambda i, *_: i < turns * unrolled, several, carried, maximum_iterations=turns, parallel_iterations=1
            )
        for _ in range(features % unrolled):
            carried = one(*carried)
        _, _, log_det, found, *_ = carried
        return tf.transpose(tf.gather(found.stack(), tf.argsort(order))), log_det


class _Found:
    """What a TensorArray does, for a decode without a loop: ONNX has no such arrays."""

    def __init__(self):
        self._values = []

    def write(self, _, value):
        self._values.append(value)
        return self

    def stack(self):
        return tf.stack(self._values)
