"""Sylvester maps: planar maps along several orthogonal directions at once."""

from __future__ import annotations

import math
from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

from flowzoo.bijectors.parametric import LEAST_SLOPE, Parametric, tanh_slope
from flowzoo.core.checks import check_count
from flowzoo.core.roots import monotone_root

STEEPEST = math.sqrt(1.0 - LEAST_SLOPE)  # bound of the diagonals of both matrices, so that each slope is positive


class Sylvester(Parametric):
    """z = x + Q R tanh(S Q' x + b), with orthonormal columns of Q, the directions, and upper triangular R and S.

    Q holds the first columns of a product of Householder reflections. As many reflections as directions reach every
    such Q: the paper's orthogonal flow. Few reflections with as many directions as features make its Householder flow,
    and none its triangular flow, for which the features are reversed between maps.

    Encode is the closed form; decode finds one root per direction and row, the last direction first. The paper's map of
    latents, cheap to sample and to score its own samples, is `Invert(Sylvester(...))`. It starts as the identity
    (R = 0), with the rest random.

    Args:
      event_shape: (features,).
      conditioner: Keras layer (nothing, condition) -> `parameter_count(features, directions=..., reflections=...)`
        numbers, added to the vectors of the reflections, the triangles above the diagonals, the diagonals and b; see
        `Parametric`.
      directions: their number, at most `features`.
      reflections: from whose product Q is taken.
      seed: seed of the initial weights.

    Raises:
      ValueError: there are more directions than features.

    Reference: van den Berg et al. 2018, Sylvester normalizing flows for variational inference, arXiv:1803.05649.
    """

    def __init__(
        self,
        event_shape: Sequence[int],
        conditioner: keras.layers.Layer | None = None,
        *,
        directions: int = 2,
        reflections: int = 2,
        seed: int = 0,
        dtype: str = "float32",
        name: str | None = None,
    ):
        directions, reflections = check_count(directions, "directions"), check_count(reflections, "reflections", 0)
        if directions > (features := event_shape[-1]):
            raise ValueError(f"`directions` must be at most the number of features, {features}, got {directions}.")
        form = {"directions": directions, "reflections": reflections}
        super().__init__(event_shape, conditioner, seed=seed, form=form, dtype=dtype, name=name)
        self.directions, self.reflections = directions, reflections

    @staticmethod
    def initial(features, numbers, *, directions, reflections):
        triangles = np.tril(
            numbers.normal(size=(directions, directions)) / directions**0.5, -1
        )  # R above, the transposed S below
        parts = {
            "triangles": triangles.ravel(),
            "diagonals": np.r_[np.zeros(directions), numbers.normal(size=directions)],
            "b": numbers.normal(size=directions),
        }
        vectors = numbers.normal(size=reflections * features)
        return {**parts, "vectors": vectors} if reflections else parts

    def _encode(self, x, condition):
        r, s, b, reflections = self._ready(x, condition)
        a = tf.linalg.matvec(s, self._projected(x, reflections)) + b
        return x + self._lifted(tf.linalg.matvec(r, tf.tanh(a)), reflections), _log_det(r, s, a)

    def _decode(self, z, condition):
        r, s, b, reflections = self._ready(z, condition)
        target, y, a = self._projected(z, reflections), [], []
        for i in reversed(range(self.directions)):
            later = [tf.stack(values, axis=-1) for values in (y, [tf.tanh(one) for one in a])] if y else None
            inner, outer = s[:, i, i], r[:, i, i]
            shift, reached = b[:, i], target[:, i]
            if later:
                shift += tf.reduce_sum(s[:, i, i + 1 :] * later[0], axis=-1)
                reached -= tf.reduce_sum(r[:, i, i + 1 :] * later[1], axis=-1)
            furthest = tf.abs(outer)
            given = [tf.broadcast_to(one, tf.shape(reached)) for one in (outer, inner, shift)]
            root = monotone_root(_bent, reached, reached - furthest, reached + furthest, given)
            y, a = [root, *y], [inner * root + shift, *a]
        a = tf.stack(a, axis=-1)
        return z - self._lifted(tf.linalg.matvec(r, tf.tanh(a)), reflections), -_log_det(r, s, a)

    def _ready(self, x, condition):
        """R and S, square matrices of rows or one row, b, and the reflections, if there are any."""
        triangles, diagonals, b, *vectors = self._parameters(x, condition)
        square = tf.reshape(triangles, [-1, self.directions, self.directions])
        above = tf.constant(np.triu(np.ones((self.directions, self.directions)), 1), square.dtype)
        outer, inner = tf.split(STEEPEST * tf.tanh(diagonals), 2, axis=-1)
        r = above * square + tf.linalg.diag(outer)
        s = above * tf.linalg.matrix_transpose(square) + tf.linalg.diag(inner)
        if not vectors:
            return r, s, b, None
        return r, s, b, _Reflections(tf.reshape(vectors[0], [-1, self.reflections, *self.event_shape]))

    def _projected(self, x, reflections):
        """Q' x: (rows, directions)."""
        return (x if reflections is None else reflections(x, transposed=True))[:, : self.directions]

    def _lifted(self, y, reflections):
        """Q y: (rows, features)."""
        x = tf.pad(y, [[0, 0], [0, self.event_shape[0] - self.directions]])
        return x if reflections is None else reflections(x)


class _Reflections:
    """The product of the reflections 1 - 2 v v' / |v|^2 along vectors (rows or 1, number, features), at once.

    It is 1 - V S^-1 V', with half the squares of the v on the diagonal of S and their other products above it (Joffrain
    et al. 2006, Accumulating Householder transformations, revisited). A v of length 0 reflects nothing.
    """

    def __init__(self, vectors):
        largest = tf.stop_gradient(tf.reduce_max(tf.abs(vectors), axis=-1, keepdims=True))
        self.vectors = tf.math.divide_no_nan(vectors, largest)  # no square over- or underflows
        products = tf.matmul(self.vectors, self.vectors, transpose_b=True)
        half = 0.5 * tf.linalg.diag_part(products)
        self.matrix = tf.linalg.set_diag(products, tf.where(half > 0.0, half, tf.ones_like(half)))

    def __call__(self, x, transposed=False):
        along = tf.linalg.matvec(self.vectors, x)[..., None]
        solved = tf.linalg.triangular_solve(self.matrix, along, lower=False, adjoint=transposed)
        return x - tf.linalg.matvec(self.vectors, solved[..., 0], transpose_a=True)


def _bent(t, outer, inner, shift):
    a = inner * t + shift
    return t + outer * tf.tanh(a), 1.0 + outer * inner * tanh_slope(a)


def _log_det(r, s, a):
    slopes = tf.linalg.diag_part(r) * tf.linalg.diag_part(s) * tanh_slope(a)
    return tf.reduce_sum(tf.math.log1p(slopes), axis=-1)
