"""Flow: a transform and a base distribution as one Keras model."""

from __future__ import annotations

import functools
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from flowzoo.bases import StandardNormal
from flowzoo.bijectors.backprop import check_mode
from flowzoo.core import random, validation
from flowzoo.core.checks import check_count, check_flag, check_seed
from flowzoo.core.context import Context, check_context
from flowzoo.core.random import LANES
from flowzoo.core.space import ONE, Condition, Space
from flowzoo.core.transform import Transform, check_parts
from flowzoo.models import adapting, forked, support
from flowzoo.models.generative import GenerativeModel
from flowzoo.models.intake import Intake, needs_intake
from flowzoo.models.paths import great_circle, straight_line
from flowzoo.models.raw import Raw, x_space
from flowzoo.models.traced_option import TracedOption
from flowzoo.objectives.registry import LIKELIHOOD

DRAWN = 2**18  # numbers of x that `sample` decodes at once at most, where that is more than 64 rows
CALL = 2**20  # numbers of x in one call of a graph, within which Python can't be interrupted


class Flow(GenerativeModel):
    """log p(x) = log p_base(z) + log_det with z, log_det = transform.encode(x).

    Data x is in its native units: (batch, *event_shape), uint8 for models that dequantize, else floating point.
    A dataset for `fit`, `evaluate` and `predict` yields x or (x, condition).

    A flow of your own parts saves to `.weights.h5`; only the families, which have flat configurations, to `.keras`.

    Args:
      transform: a `Transform`.
      base: base distribution over `transform.latent_shape`, of `flowzoo.bases`; a standard normal if not given.
      classes: the condition is an integer label 0 ... classes - 1, handed to the conditioners one-hot; 0 for none.
      condition_features: the condition is a vector of this many numbers; 0 for none. With `classes`, too, the condition
        is a dict of both, `{"label": ..., "features": ...}`.
      condition: instead of these two, any `Space`, or a dict of them by name, as {"label": Space.integers((), 10),
        "mel": Space((None, 80))}; conditioners get `condition.features` numbers, concatenated.
      name: Keras name.
    """

    adapts = TracedOption(True, check_flag)  # whether `fit` adapts a new flow that was not adapted
    xla = TracedOption(False, check_flag)  # whether `log_prob`, `score` and training compile with XLA
    backprop = TracedOption("store", check_mode)  # how gradients are computed: `bijectors.backprop`; see docs/memory.md
    noise_seed = TracedOption(0, check_seed)  # of the noise of dequantization in training
    offers = frozenset({"log_prob", "sample", "encode", "decode", "interpolate"})

    def __init__(
        self,
        transform: Transform,
        base: keras.layers.Layer | None = None,
        *,
        classes: int = 0,
        condition_features: int = 0,
        condition: Space | Mapping[str, Space] | Condition | None = None,
        name: str | None = None,
    ):
        if not isinstance(transform, Transform):
            raise TypeError(f"`transform` must be a flowzoo Transform, got {type(transform).__name__}.")
        check_parts(transform)
        # else Keras would cast x to float32, which may not hold its digits
        autocast = transform.event_dtype == transform.compute_dtype
        super().__init__(dtype=transform.compute_dtype, autocast=autocast, name=name)
        forked.watch()
        base = base or StandardNormal(transform.latent_shape, dtype=transform.compute_dtype)
        if base.event_shape != transform.latent_shape:
            raise ValueError(f"`base` must have event_shape {transform.latent_shape}, got {base.event_shape}.")
        if base.compute_dtype != transform.compute_dtype:
            raise ValueError(f"`base` must have the transform's dtype {self.compute_dtype}, got {base.compute_dtype}.")
        if base.on_sphere != transform.on_sphere:
            where = "on the unit sphere" if transform.on_sphere else "not on a sphere"
            raise ValueError(
                f"`base` must be a density of latents {where}, as the transform gives them, got "
                f"{type(base).__name__}. On the sphere pass `bases.UniformSphere`."
            )
        self.transform = transform
        self.base = base
        self.condition = self._condition_space(condition, classes, condition_features)
        self._require_networks_for_places()
        self.event_shape, self.latent_shape = transform.event_shape, transform.latent_shape
        self.x_space = x_space(transform)
        self.z_space = Space(self.latent_shape, transform.compute_dtype, on_sphere=transform.on_sphere)
        self.intake = Intake(self.x_space, self.condition, self.compute_dtype, self._policies)
        self.raw = Raw(transform, base, self.x_space, self.condition)
        self.dims = math.prod(self.event_shape)
        self.kind = transform.kind
        self.adapted = self.add_weight(shape=(), initializer="zeros", trainable=False, dtype="int32", name="adapted")
        self.built = True
        validation.check_keras_defaults(self.compute_dtype, self._policies())

    def log_prob(self, x, condition=None, seed: int = 0, samples: int = 1) -> tf.Tensor:
        """log p(x) in nats, or the estimate or lower bound of it that `kind` says.

        Args:
          x: (batch, *event_shape).
          condition: (batch,) int labels or (batch, condition_features), as the flow was built.
          seed: of dequantization noise and the probes of an estimate, which are a pure function of `seed` and each
            row's content; no effect if exact.
          samples: noise draws per row; more than 1 gives the importance-weighted bound
            log mean_k exp(.) of Burda et al. 2016, arXiv:1509.00519.

        Returns:
          (batch,) float32 (float64 for a float64 flow).

        Raises:
          TypeError, ValueError: x or condition is of the wrong type, shape or range, or not finite.
        """
        if not tf.executing_eagerly():
            return self._log_prob(self.raw.log_prob, x, condition, seed, samples)
        function = self.raw.log_prob_xla if self.xla else self.raw.log_prob_graph
        return self._log_prob(function, *self.intake.tensors(x, condition), seed, samples)

    def bits_per_dim(self, x, condition=None, seed: int = 0, samples: int = 1) -> tf.Tensor:
        """-log p(x) / (D ln 2): (batch,); the usual bits/dim if x is native integer data."""
        return -self.log_prob(x, condition, seed, samples) / (self.dims * math.log(2.0))

    def score(self, x, condition=None, seed: int = 0, samples: int = 1, batch_size: int = LANES) -> np.ndarray:
        """log p(x) in nats of any amount of data, in blocks of equally many rows.

        The result of a row does not depend on its neighbours, to the last bit.

        Args:
          x: (n, *event_shape) array, or a batched `tf.data.Dataset` of x, (x, condition) or (x, condition, weights),
            whose weights `score` ignores.
          condition, seed, samples: as in `log_prob`.
          batch_size: rows of a block, to which fewer are padded; rounded up to a multiple of 16. The last bit of a
            result may depend on it. With 128, wide networks take half the time for many rows.

        Returns:
          (n,) NumPy array.
        """
        block = -(-check_count(batch_size, "batch_size") // LANES) * LANES
        size, scores = block * max(1, CALL // (block * self.dims)), []
        if isinstance(x, tf.data.Dataset):
            self.intake.rows(x, None, None)
            parts = map(keras.utils.unpack_x_y_sample_weight, x.unbatch().batch(size))
            return np.concatenate([self.score(a, b, seed, samples, block) for a, b, _ in parts] or [np.zeros(0)])
        x, condition = self.intake.checked(x, condition)
        compute = functools.partial(self.raw.score, block=block, xla=self.xla)
        for start in range(0, len(x), size):
            rows = slice(start, start + size)
            part = tf.convert_to_tensor(x[rows]), self.condition.rows(condition, rows)
            scores.append(self._log_prob(compute, *part, seed, samples).numpy())
        return np.concatenate(scores) if scores else np.zeros(0, self.compute_dtype)

    def sample(self, n: int, condition=None, temperature=1.0, seed=None, batch_size: int | None = None) -> tf.Tensor:
        """Draws n samples; row i depends on its own seed, temperature and condition only.

        Autoregressive steps, and couplings with splines, of vectors are compiled with XLA, once per power of two of the
        number of rows; the first call with another one takes about a second more (docs/benchmarks.md).

        Args:
          n: how many.
          condition: (n,) labels or (n, condition_features), as the flow was built; one label, or one row of numbers,
            serves for all.
          temperature: a number or (n,): scale of the base (the class of the base says how), 1.0 is the model's own.
          seed: None (drawn from TensorFlow's global generator), an int, or (n, 2) int32, one stream per row.
          batch_size: rows decoded at once; by default 64, and more where events are small.

        Returns:
          (n, *event_shape) in native units: uint8 for models that dequantize.
        """
        forked.refuse()  # before seeds are computed
        n = check_count(n, "n", least=0)
        most = _drawn_at_once(self.dims) if batch_size is None else check_count(batch_size, "batch_size")
        seed, temperature = validation.check_seed_of_rows(seed, n), validation.check_temperature(temperature, n)
        condition = self.intake.conditions(condition, n, shared=True)
        halves = tf.constant(random.words(seed)) if isinstance(seed, int) else None
        parts, count = [], max(1, -(-n // most))
        size = most if batch_size is not None else -(-n // count)  # of one size, for one graph
        for start in range(0, max(n, 1), max(size, 1)):
            rows = slice(start, min(start + size, n))
            given = tf.constant(temperature[rows]), self.condition.rows(condition, rows)
            if halves is None:
                parts.append(self.raw.sample_graph(seed[rows], *given))
            else:
                index = tf.constant(np.arange(rows.start, rows.stop, dtype=np.uint32))
                parts.append(self.raw.draw_graph(halves, index, *given))
        return parts[0] if len(parts) == 1 else tf.concat(parts, axis=0)

    def encode(self, x, condition=None, seed: int = 0) -> tuple[tf.Tensor, tf.Tensor]:
        """Data to latent: z (batch, *latent_shape) and log_det (batch,) in nats."""
        if not tf.executing_eagerly():
            return self.raw.encode(x, condition, self.raw.as_seed(seed))
        return self.raw.encode_graph(*self.intake.tensors(x, condition), self.raw.as_seed(seed))

    def decode(self, z, condition=None, seed: int = 0) -> tuple[tf.Tensor, tf.Tensor]:
        """Latent to data: x (batch, *event_shape) in native units and log_det (batch,) in nats.

        Where decoding draws x, it is a pure function of `seed` and each row's content.
        """
        if not tf.executing_eagerly():
            return self.raw.decode(z, condition, self.raw.as_seed(seed))
        z = validation.check_data(z, self.z_space, "z")
        return self.raw.decode_graph(z, self.intake.conditions(condition, len(z)), self.raw.as_seed(seed))

    def interpolate(self, x0, x1, steps: int = 8, condition=None) -> tf.Tensor:
        """Decodes the straight line between the latents of x0 and x1: (batch, steps, *event_shape).

        Latents on the unit sphere are joined by the shorter part of a great circle.
        """
        (z0, _), (z1, _) = self.encode(x0, condition), self.encode(x1, condition)
        along = np.linspace(0.0, 1.0, check_count(steps, "steps"), dtype=self.compute_dtype)
        path = great_circle if self.z_space.on_sphere else straight_line
        return tf.stack([self.decode(path(z0, z1, t), condition)[0] for t in along], axis=1)

    def reconstruction_error(self, x, condition=None, seed: int = 0) -> tf.Tensor:
        """max |decode(encode(y)) - y| of each row, (batch,), y being the data after dequantization."""
        return self.raw.reconstruction_error_graph(*self.intake.tensors(x, condition), self.raw.as_seed(seed))

    def adapt(self, x, condition=None, seed: int = 0, force: bool = False) -> None:
        """Data-dependent initialisation (standardisation, whitening, ActNorm) from a few hundred rows, once.

        `adapted` is saved with the weights. Columns that are constant in the batch keep scale 1, with a warning that
        names them. A flow that was never adapted is adapted by its first `fit`, unless `adapts` is False.

        Raises:
          ValueError: the flow is adapted already, as a loaded one is (`force=True` does it again); there are fewer than
            two rows, or one outside the support; or a weight would not be finite. The flow then stays as it was.
        """
        if int(tf.convert_to_tensor(self.adapted)) and not force:
            raise ValueError("This flow is adapted already (or was loaded). Pass force=True to initialise it again.")
        frame, names = x, condition
        x, condition = self.intake.tensors(x, condition, squares=True)
        adapting.adapt(self, x, condition, seed)
        self.intake.learn_columns(frame, names)
        adapting.warn_of_columns(self, x)

    def __call__(self, x, condition=None, *args, **kwargs) -> tf.Tensor:
        """As Keras' own; frames and masked arrays are treated as in `log_prob`."""
        if needs_intake(x) or needs_intake(condition):
            x, condition = self.intake.tensors(x, condition)
        return super().__call__(x, condition, *args, **kwargs)

    def call(self, x, condition=None, training: bool | None = None) -> tf.Tensor:
        """log p(x); with `training`, minus the penalties of the transforms, and with fresh noise at each step."""
        return -self._by(LIKELIHOOD, x, condition, Context(training=bool(training)))

    def objective(self, x, condition=None, context: Context | None = None) -> tf.Tensor:
        """What `fit` minimises, (batch,), by the objective that `training_objective` names.

        Args:
          x: (batch, *event_shape) tensor, or a frame.
          condition: as tensors or frames, or None.
          context: says whether it is for training, and gets the notes of the transforms. Noise depends on the content
            of each row, in training also on `noise_seed` and the optimizer's step; memory is as `backprop` says.
        """
        if needs_intake(x) or needs_intake(condition):
            x, condition = self.intake.tensors(x, condition)
        return self._by(self.training_objective, x, condition, check_context(context))

    def get_config(self) -> dict[str, Any]:
        raise ValueError(
            f"{type(self).__name__} was made of your own parts, which have no configuration, so it can't be saved to "
            "`.keras`. Save its weights with `save_weights('name.weights.h5')` and build the parts again to load them."
        )

    def __dir__(self):
        # Keras evaluates every name here when it saves, and would store the weights under `bijection`.
        return sorted({*super().__dir__()} - {"bijection", "bijector", "distribution"})

    @property
    def bijection(self) -> Transform:
        """The exact part of the transform: what follows dequantization, or other noise.

        Raises:
          ValueError: decode of some part does not give back what encode took, or a part with weights precedes noise.
        """
        return self.raw.bijection

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

    def export(
        self,
        path: str | os.PathLike,
        *,
        overwrite: bool = False,
        weights_dtype: str = "float32",
        check: bool = True,
    ) -> Path:
        """Writes a SavedModel with the signatures log_prob, sample, encode, ...; see `flowzoo.serving.saved_model`."""
        from flowzoo.serving.saved_model import export

        return export(self, path, overwrite=overwrite, weights_dtype=weights_dtype, check=check)

    @property
    def data_dtype(self) -> str:
        """dtype of native data: uint8 (int32 above 8 bits), float64 with `standardize` or `bounds`, or its own."""
        return self.x_space.dtype

    @property
    def columns(self) -> list[str] | None:
        """Names of the columns of x, in the order in which the flow takes them, if it was fitted on a frame."""
        return self.intake.columns

    @property
    def condition_columns(self) -> list[str] | None:
        """As `columns`, for the condition."""
        return self.intake.condition_columns

    @property
    def bits(self) -> int:
        """Bits of native integer data; 0 for continuous data."""
        return self.x_space.depth

    @property
    def classes(self) -> int:
        """The number of classes, if the condition is a label; 0 for another condition, or none."""
        return self.condition.labels

    @property
    def condition_features(self) -> int:
        """The size of the last axis of the condition, if that is one Space of numbers; 0 for others, or none."""
        space = self.condition.spaces.get(ONE)
        return space.features if space and space.shape and not space.values else 0

    def outside_columns(self, x: tf.Tensor) -> tf.Tensor:
        """Which columns of x have a number outside their `bounds`: (columns,) bool, or (0,) for a flow without."""
        return support.outside_columns(self, x)

    def _prepare(self, x, y, method):
        adapting.prepare(self, x, y, method)

    def _review(self, x, history):
        adapting.review(self, x, history)

    def _condition_space(self, condition, classes, condition_features):
        classes = check_count(classes, "classes", 0)
        features = check_count(condition_features, "condition_features", 0)
        if condition is not None and (classes or features):
            raise ValueError("Give `condition`, or `classes` and `condition_features`, not both.")
        if condition is not None:
            return condition if isinstance(condition, Condition) else Condition(condition)
        layers = self.transform._flatten_layers() if features and not classes else ()
        anywhere = any(axes > 1 for layer in layers for axes in getattr(layer, "condition_axes", ()))
        return Condition.of(classes, features, self.compute_dtype, anywhere=anywhere)

    def _require_networks_for_places(self):
        """Refuses a condition with places, such as an image or a sequence, if some network takes vectors only."""
        axes = max((len(space.places) + 1 for space in self.condition.spaces.values()), default=0)
        for layer in self._flatten_layers() if axes > 1 else ():
            known = getattr(layer, "condition_axes", ())
            if known and axes not in known:
                raise ValueError(
                    f"`condition` must be labels or vectors here, since {type(layer).__name__} takes no others, got "
                    f"{self.condition.described()}. Give the numbers of an example as one vector, Space((n,)), or use "
                    "a flow on images with an image, and one on audio with a sequence."
                )

    def _log_prob(self, function, x, condition, seed, samples):
        samples = check_count(samples, "samples")
        if "encode" not in self.transform.draws:
            samples = 1  # and one graph for all numbers of them
        return function(x, condition, self.raw.as_seed(seed), samples, self.backprop)

    def _by(self, name, x, condition, context):
        """What an objective minimises; the context gets the notes."""
        forked.refuse()
        function = self.raw.objective_xla if self.xla else self.raw.objective
        training, memory = context.training, self.backprop if context.training else "store"
        found, notes = function(x, condition, self._step_seed(training), name, memory, training)
        context.join(notes)
        return found

    def _step_seed(self, training):
        seed = self.raw.as_seed(self.noise_seed if training else 0)
        if training and getattr(self, "optimizer", None) is not None:
            seed += tf.cast(self.optimizer.iterations + 1, tf.uint32) * tf.constant(0x9E3779B1, tf.uint32)
        return seed


def _drawn_at_once(dims):
    """Rows that `sample` decodes at once: a power of two, to which compiled steps would fill them up."""
    return max(64, 2 ** (DRAWN // dims).bit_length() // 2)
