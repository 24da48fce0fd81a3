"""The signatures of an exported flow, as functions of named tensors."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import tensorflow as tf

from flowzoo.modalities.registry import modality_of
from flowzoo.serving import assertions
from flowzoo.serving.images import decode_images

if TYPE_CHECKING:
    from flowzoo.models.flow import Flow


class Signatures:
    """Traces the methods of a flow.

    Args:
      flow: a `Flow`.
      check: whether the graph refuses bad input; else a bad row gives NaN in that row.
      weights: opens a context in which the flow computes with the weights that are stored.
    """

    def __init__(self, flow: Flow, check: bool, weights: Callable):
        self._flow, self._check, self._weights = flow, check, weights
        self._seed = tf.constant(0, tf.uint32)
        self._scale = -1.0 / (flow.dims * math.log(2.0))
        # by what is computed for a row, not by what is sent: seeds and image files are much smaller
        self._most = assertions.LARGEST // max(flow.dims, math.prod(flow.latent_shape), flow.condition.features)
        self._specs = {
            "x": tf.TensorSpec([None, *flow.x_space.shape], flow.x_space.dtype),
            "z": tf.TensorSpec([None, *flow.z_space.shape], flow.z_space.dtype),
            "seed": tf.TensorSpec([None, 2], tf.int32),
            "temperature": tf.TensorSpec([None], tf.float32),
            "image_bytes": tf.TensorSpec([None], tf.string),
        }
        self._whole = flow.condition.whole
        self._spaces = {"x": flow.x_space, "z": flow.z_space, **flow.condition.spaces}
        self._conditional = {
            name: tf.TensorSpec([None, *space.shape], space.dtype if space.values else tf.float32)
            for name, space in flow.condition.spaces.items()
        }
        self._likelihood = tf.function(self._log_prob, autograph=False)  # traced once for those that share it

    def concrete(self) -> dict[str, Callable]:
        """Concrete functions by the names of the signatures."""
        named = {
            "log_prob": (self._log_prob_only, "x"),
            "bits_per_dim": (self._bits_per_dim, "x"),
            "sample": (self._sample, "seed", "temperature"),
            "encode": (self._encode, "x"),
            "decode": (self._decode, "z"),
        }
        if "posterior_mean" in self._flow.offers:
            named["posterior"] = (self._posterior, "x")
        if "reconstruct" in self._flow.offers:
            named["reconstruct"] = (self._reconstruct, "x")
        if modality_of(self._flow.x_space).in_bytes(self._flow.x_space):
            named["serving_bytes"] = (self._images, "image_bytes")
        traced = {name: self._trace(*how) for name, how in named.items()}
        return {"serving_default": traced["log_prob"], **traced}

    def _trace(self, function, *names):
        specs = {name: self._specs[name] for name in names} | self._conditional

        def checked(**inputs):
            if self._check:
                inputs = self._checked(inputs, names[0], specs)
            return function(**inputs)

        return tf.function(checked, autograph=False).get_concrete_function(**specs)

    def _checked(self, inputs: Mapping[str, tf.Tensor], first: str, specs):
        good = {}
        for name, spec in specs.items():  # TensorFlow sorts the inputs by name
            value = assertions.check_rows(inputs[name], name, spec, self._most)
            good[name] = value if name == first else assertions.check_same_rows(value, name, good[first], first)
        for name, value in good.items():
            if value.dtype.is_floating:
                good[name] = assertions.check_finite(value, name, 0.0 if name == "temperature" else None)
        for name, space in self._spaces.items():
            if space.values and name in good:
                good[name] = assertions.check_range(good[name], name, space.lowest, space.highest)
            if space.on_sphere and name in good:
                good[name] = assertions.check_on_sphere(good[name], name)
        return good

    def _log_prob(self, x, condition=None):
        with self._weights():
            return self._flow.raw.log_prob(x, condition, self._seed, 1)

    def _log_prob_only(self, x, **conditions):
        return {"log_prob": self._likelihood(x, self._whole(conditions))}

    def _bits_per_dim(self, x, **conditions):
        return {"bits_per_dim": self._scale * self._likelihood(x, self._whole(conditions))}

    def _images(self, image_bytes, **conditions):
        most = assertions.LARGEST if self._check else None  # merged requests may be of several callers
        x = decode_images(image_bytes, self._flow.x_space, most)
        log_prob = self._likelihood(x, self._whole(conditions))
        return {"log_prob": log_prob, "bits_per_dim": self._scale * log_prob}

    def _sample(self, seed, temperature, **conditions):
        with self._weights():
            return {"x": self._flow.raw.sample(seed, temperature, self._whole(conditions))}

    def _encode(self, x, **conditions):
        with self._weights():
            z, log_det = self._flow.raw.encode(x, self._whole(conditions), self._seed)
        return {"z": z, "log_det": log_det}

    def _decode(self, z, **conditions):
        with self._weights():
            x, log_det = self._flow.raw.decode(z, self._whole(conditions), self._seed)
        return {"x": x, "log_det": log_det}

    def _posterior(self, x, **conditions):
        with self._weights():
            return {"mean": self._flow.posterior_mean(x, self._whole(conditions))}

    def _reconstruct(self, x, **conditions):
        with self._weights():
            return {"mean": self._flow.reconstruct(x, self._whole(conditions), self._seed)}
