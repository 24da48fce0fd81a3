"""Flow: a transform and a base distribution as one Keras model."""

from __future__ import annotations

import math

import numpy as np
import tensorflow as tf

from flowzoo import random
from flowzoo.bases import StandardNormal
from flowzoo.bijectors import Chain, Identity
from flowzoo.flows import door
from flowzoo.flows.likelihood_model import LikelihoodModel
from flowzoo.transform import weakest_kind


class Flow(LikelihoodModel):
    """log p(x) = log p_base(z) + log_det with z, log_det = transform.encode(x).

    Data x is in its native units: (batch, *event_shape), uint8 for models that dequantize, else floating point.
    A dataset for `fit`, `evaluate` and `predict` yields x or (x, condition).

    A flow of your own parts saves to `.weights.h5`; only the families, which have flat configurations, to `.keras`.

    Args:
      transform: a `Transform`.
      base: base distribution over `transform.latent_shape`; a standard normal if not given.
      classes: the condition is an integer label 0 ... classes - 1, handed to the conditioners one-hot; 0 for none.
      condition_features: the condition is a vector of so many numbers; 0 for none.
      name: Keras name.
    """

    xla = False  # whether Python-side calls and training compile with XLA; exports never do

    def __init__(self, transform, base=None, *, classes=0, condition_features=0, name=None):
        super().__init__(dtype=transform.compute_dtype, name=name)
        if classes and condition_features:
            raise ValueError("Give `classes` or `condition_features`, not both.")
        base = StandardNormal(transform.latent_shape, dtype=transform.compute_dtype) if base is None else base
        if base.event_shape != transform.latent_shape:
            raise ValueError(f"`base` must have event_shape {transform.latent_shape}, got {base.event_shape}.")
        self.transform = transform
        self.base = base
        self.classes = int(classes)
        self.condition_features = int(condition_features)
        self.event_shape, self.latent_shape = transform.event_shape, transform.latent_shape
        self.dims = math.prod(self.event_shape)
        self.kind = weakest_kind([transform.kind])
        self.noise_seed = 0
        self.adapted = self.add_weight(shape=(), initializer="zeros", trainable=False, dtype="int32", name="adapted")
        self.built = True

    # What callers use ------------------------------------------------------------------------------------------

    def log_prob(self, x, condition=None, seed=0, samples=1):
        """log p(x) in nats, or what `kind` says of it.

        Args:
          x: (batch, *event_shape).
          condition: (batch,) int labels or (batch, condition_features), as the flow was built.
          seed: of the dequantization noise, a pure function of `seed` and each row's content; no effect if exact.
          samples: noise draws per row; more than 1 gives the importance-weighted bound
            log mean_k exp(.) of Burda et al. 2016, arXiv:1509.00519.

        Returns:
          (batch,) float32 (float64 for a float64 flow).

        Raises:
          TypeError, ValueError: x or condition is of the wrong type, shape or range, or not finite.
        """
        if not isinstance(samples, int) or samples < 1:
            raise ValueError(f"`samples` must be an int >= 1, got {samples!r}.")
        if not tf.executing_eagerly():
            return self._log_prob(x, condition, self._word(seed), samples)
        x, condition = self._checked(x, condition)
        function = self._log_prob_xla if self.xla else self._log_prob_graph
        return function(x, condition, self._word(seed), samples)

    def bits_per_dim(self, x, condition=None, seed=0, samples=1):
        """-log p(x) / (D ln 2): (batch,); the usual bits/dim if x is native integer data."""
        return -self.log_prob(x, condition, seed, samples) / (self.dims * math.log(2.0))

    def score(self, x, condition=None, seed=0, samples=1, batch_size=128) -> np.ndarray:
        """log p(x) in nats of any amount of data, in fixed padded batches.

        The result of a row does not depend on its neighbours, to the last bit.

        Args:
          x: (n, *event_shape) array, or a batched `tf.data.Dataset` of x or (x, condition).
          condition, seed, samples: as in `log_prob`.
          batch_size: rows per call.

        Returns:
          (n,) NumPy array.
        """
        if isinstance(x, tf.data.Dataset):
            parts = (part if isinstance(part, tuple) else (part, None) for part in x.unbatch().batch(batch_size))
            return np.concatenate([self.score(a, b, seed, samples, batch_size) for a, b in parts] or [np.zeros(0)])
        x, condition = self._checked(x, condition)
        scores = []
        for start in range(0, len(x), batch_size):
            rows = [part if part is None else part[start : start + batch_size] for part in (x, condition)]
            count = len(rows[0])
            rows = [part if part is None else _padded(part, batch_size) for part in rows]
            scores.append(self.log_prob(*rows, seed, samples)[:count].numpy())
        return np.concatenate(scores) if scores else np.zeros(0, self.compute_dtype)

    def sample(self, n, condition=None, temperature=1.0, seed=None, batch_size=64):
        """Draws n samples; row i depends on its own seed, temperature and condition only.

        Args:
          n: how many.
          condition: (n,) labels or (n, condition_features), as the flow was built.
          temperature: a number or (n,): standard deviation of the base, 1.0 is the model's own.
          seed: None (drawn from TensorFlow's global generator), an int, or (n, 2) int32, one stream per row.
          batch_size: rows decoded at once.

        Returns:
          (n, *event_shape) in native units: uint8 for models that dequantize.
        """
        seeds, temperature = door.check_seeds(seed, n), door.check_temperature(temperature, n)
        condition = door.check_condition(condition, n, classes=self.classes, features=self.condition_features)
        parts = []
        for start in range(0, max(n, 1), batch_size):
            rows = slice(start, start + batch_size)
            part = None if condition is None else condition[rows]
            parts.append(self._sample_graph(seeds[rows], temperature[rows], part))
        return tf.concat(parts, axis=0)

    def encode(self, x, condition=None, seed=0):
        """Data to latent: z (batch, *latent_shape) and log_det (batch,) in nats."""
        if not tf.executing_eagerly():
            return self._encode(x, condition, self._word(seed))
        return self._encode_graph(*self._checked(x, condition), self._word(seed))

    def decode(self, z, condition=None):
        """Latent to data: x (batch, *event_shape) in native units and log_det (batch,) in nats."""
        if not tf.executing_eagerly():
            return self._decode(z, condition)
        z = door.check_data(z, self.latent_shape, dtype=self.compute_dtype, what="z")
        condition = door.check_condition(condition, len(z), classes=self.classes, features=self.condition_features)
        return self._decode_graph(z, condition)

    def interpolate(self, x0, x1, steps=8, condition=None):
        """Decodes the straight line between the latents of x0 and x1: (batch, steps, *event_shape)."""
        (z0, _), (z1, _) = self.encode(x0, condition), self.encode(x1, condition)
        path = [
            self.decode((1.0 - t) * z0 + t * z1, condition)[0] for t in np.linspace(0.0, 1.0, steps, dtype="float32")
        ]
        return tf.stack(path, axis=1)

    def reconstruction_error(self, x, condition=None, seed=0):
        """max |decode(encode(y)) - y| of each row, (batch,), y being the data after dequantization."""
        return self._reconstruction_graph(*self._checked(x, condition), self._word(seed))

    def adapt(self, x, condition=None, seed=0, force=False):
        """Data-dependent initialisation (ActNorm) from one batch, once; `adapted` is saved with the weights.

        Raises:
          ValueError: the flow is adapted already, as a loaded one is; `force=True` does it again.
        """
        if int(tf.convert_to_tensor(self.adapted)) and not force:
            raise ValueError("This flow is adapted already (or was loaded). Pass force=True to initialise it again.")
        x, condition = self._checked(x, condition)
        self.transform.adapt(x, self._ready(condition), self._seeds(x, self._word(seed)))
        self.adapted.assign(1)

    # What Keras uses -------------------------------------------------------------------------------------------

    def call(self, x, condition=None, training=None):
        """log p(x); under `fit` with noise that is new at each step."""
        word = self._word(self.noise_seed if training else 0)
        if training and getattr(self, "optimizer", None) is not None:
            word += tf.cast(self.optimizer.iterations + 1, tf.uint32) * tf.constant(0x9E3779B1, tf.uint32)
        function = self._log_prob_xla if self.xla else self._log_prob
        return function(x, condition, word, 1)

    def get_config(self):
        raise ValueError(
            f"{type(self).__name__} was made of your own parts, which have no configuration, so it can't be saved to "
            "`.keras`. Save its weights with `save_weights('name.weights.h5')` and build the parts again to load them."
        )

    def __dir__(self):
        # Keras evaluates every name here when it saves, and would store the weights under `bijection`.
        return sorted({*super().__dir__()} - {"_parts", "bijection", "bijector", "distribution"})

    # Views -----------------------------------------------------------------------------------------------------

    @property
    def bijector(self):
        """A `tfb.Bijector` of the part after dequantization, sharing the weights; its forward is decode."""
        from flowzoo.interop import as_tfp

        return as_tfp(self.bijection)

    @property
    def distribution(self):
        """A `tfd.Distribution` sharing the weights; pass `flow.trainable_variables` to optimisers."""
        from flowzoo.interop import FlowDistribution

        return FlowDistribution(self)

    def export(self, path, **options):
        """Writes a SavedModel with the signatures log_prob, sample, encode and decode."""
        from flowzoo.serving import export

        return export(self, path, **options)

    @property
    def input_dtype(self) -> str:
        """dtype of native data: uint8 (int32 above 8 bits) or the flow's own."""
        return ("uint8" if self.bits <= 8 else "int32") if self.bits else self.compute_dtype

    @property
    def bits(self) -> int:
        """Bits of native integer data; 0 for continuous data."""
        return next((t.bits for t in self._parts if t.takes_integers), 0)

    @property
    def bijection(self):
        """The exact part of the transform: what follows dequantization."""
        exact = [t for t in self._parts if not t.stochastic]
        return exact[0] if len(exact) == 1 else Chain(exact) if exact else Identity(self.latent_shape)

    # Graph-safe implementations --------------------------------------------------------------------------------

    @property
    def _parts(self):
        return self.transform.transforms if isinstance(self.transform, Chain) else [self.transform]

    def _log_prob(self, x, condition, word, samples):
        x, condition, seeds = tf.convert_to_tensor(x), self._ready(condition), self._seeds(x, word)

        def once(draw):
            z, log_det = self.transform.encode(x, condition, seeds if draw is None else random.fold_in(seeds, draw))
            return self.base.log_prob(z, condition) + log_det

        if samples == 1 or not self.transform.stochastic:
            return once(None)
        draws = tf.map_fn(once, tf.range(samples, dtype=tf.int32), fn_output_signature=self.compute_dtype)
        return tf.reduce_logsumexp(draws, axis=0) - math.log(samples)

    def _encode(self, x, condition, word):
        return self.transform.encode(x, self._ready(condition), self._seeds(x, word))

    def _decode(self, z, condition):
        return self.transform.decode(z, self._ready(condition))

    def _sample(self, seeds, temperature, condition):
        condition = self._ready(condition)
        return self.transform.decode(self.base.sample(seeds, temperature, condition), condition)[0]

    def _reconstruction(self, x, condition, word):
        condition, seeds = self._ready(condition), self._seeds(x, word)
        noisy = [t for t in self._parts if t.stochastic]
        if noisy:
            x = Chain(noisy).encode(x, condition, seeds)[0]
        bijection = self.bijection
        again = bijection.decode(bijection.encode(x, condition)[0], condition)[0]
        return tf.reduce_max(tf.abs(tf.reshape(again - x, [tf.shape(x)[0], -1])), axis=1)

    _log_prob_graph = tf.function(_log_prob, reduce_retracing=True, autograph=False)
    _log_prob_xla = tf.function(_log_prob, jit_compile=True, autograph=False)
    _encode_graph = tf.function(_encode, reduce_retracing=True, autograph=False)
    _decode_graph = tf.function(_decode, reduce_retracing=True, autograph=False)
    _sample_graph = tf.function(_sample, reduce_retracing=True, autograph=False)
    _reconstruction_graph = tf.function(_reconstruction, reduce_retracing=True, autograph=False)

    def _checked(self, x, condition):
        x = door.check_data(x, self.event_shape, bits=self.bits, dtype=self.compute_dtype)
        return x, door.check_condition(condition, len(x), classes=self.classes, features=self.condition_features)

    def _ready(self, condition):
        if condition is None or not self.classes:
            return condition
        labels = tf.cast(condition, tf.int32)[:, None]
        known = (labels >= 0) & (labels < self.classes)  # a row of zeros would pass for a class
        return tf.where(known, tf.one_hot(labels[:, 0], self.classes, dtype=self.compute_dtype), math.nan)

    def _word(self, seed):
        if isinstance(seed, (int, np.integer)):
            return tf.constant(int(seed) & 0xFFFFFFFF, tf.uint32)
        return tf.cast(seed, tf.uint32)

    def _seeds(self, x, word):
        return random.fold_in(random.hash_rows(x), word) if self.transform.stochastic else None


def _padded(rows, size):
    missing = size - len(rows)
    return tf.concat([rows, tf.repeat(rows[:1], missing, axis=0)], axis=0) if missing else rows
