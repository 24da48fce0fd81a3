"""log |det dz/dx| by automatic differentiation, to hold a log_det against."""

import numpy as np
import tensorflow as tf


def log_det_of_jacobian(direction, x, condition=None):
    """Of each row, (batch,), for a direction (x, condition) -> (z, log_det).

    One reverse pass: each row as often as z has entries, since rows don't affect each other.
    """
    size = int(np.prod(x.shape[1:]))
    rows = tf.repeat(tf.convert_to_tensor(x), size, axis=0)
    with tf.GradientTape() as tape:
        tape.watch(rows)
        z = direction(rows, None if condition is None else tf.repeat(condition, size, axis=0))[0]
        diagonal = tf.linalg.diag_part(tf.reshape(z, [-1, size, size]))
    jacobians = tape.gradient(diagonal, rows).numpy().reshape(-1, size, size)
    return np.linalg.slogdet(jacobians.astype("float64"))[1]
