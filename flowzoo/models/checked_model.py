"""Keras' methods that check all arguments and make arrays of them before a weight changes or a graph is traced.

Of data sets only shapes and types are known then; a bad row of theirs is NaN in the graph, and in that row only.
"""

from __future__ import annotations

import inspect
import types
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from flowzoo.core import validation
from flowzoo.core.space import ONE
from flowzoo.models import forked, frames
from flowzoo.models.data_sets import check_data_set, looked_into, specs
from flowzoo.models.stored_model import StoredModel


class CheckedModel(StoredModel):
    """A `StoredModel` that takes arrays, tensors and pandas' frames and series, or data sets, in all methods.

    Needs `x_space`, `condition` and `compute_dtype`.

    Attributes:
      columns, condition_columns: names in the first frames that it was adapted or fitted on, or None; later frames are
        put in this order by name.
    """

    columns: list[str] | None = None
    condition_columns: list[str] | None = None

    def fit(self, x=None, y=None, *args, **kwargs) -> keras.callbacks.History:
        """As Keras' own, with the condition as y; a flow that was not compiled is compiled with its defaults first.

        Args:
          x: arrays, tensors, pandas' frames or series; or a data set of x, (x, condition) or (x, condition, weights): a
            `tf.data.Dataset`, a `PyDataset`, or a generator, which yields each batch once and so lasts for one epoch,
            or as many as `steps_per_epoch` divides it into.
          y: the condition, if x is no data set.
          *args, **kwargs: as Keras takes them; `sample_weight` needs no condition beside it.

        Raises:
          TypeError, ValueError: x, y, `sample_weight` or `validation_data` are of the wrong type, shape or range, not
            finite, or so large that their squares overflow; `validation_split` leaves no rows on one side; a frame
            lacks a column that the flow knows, or has another index than that of x; `class_weight` has not one number
            per class; a generator is to last for several epochs; or all weights are frozen. Of data sets shapes and
            types are checked, those of the first batch where that is all there is, not each row.
        """
        given = _by_name(keras.Model.fit, x, y, *args, **kwargs)
        self._require_trainable()
        self._require_classes(given.get("class_weight"))
        several = given.get("epochs", 1) - given.get("initial_epoch", 0) > 1
        if isinstance(x, types.GeneratorType) and several and not given.get("steps_per_epoch"):
            raise ValueError(
                f"A generator yields each batch once, so it lasts for one epoch, got `epochs` {given['epochs']}. Pass "
                "`steps_per_epoch`, or a tf.data.Dataset or PyDataset, which start again."
            )
        checked = self._entered(x, y, given.get("sample_weight"))
        held_out = given.get("validation_data")
        divided = _is_array(x) and held_out is None
        validation.require_split(given.get("validation_split"), len(checked[0]) if divided else None)
        if isinstance(held_out, (tuple, list)):
            parts = keras.utils.unpack_x_y_sample_weight(tuple(held_out))
            given["validation_data"] = self._entered(*parts, "validation ")
        elif held_out is not None:
            given["validation_data"] = self._entered(held_out, None, None, "validation ")[0]
        self._learn_columns(x, y)
        return super().fit(**given | dict(zip(("x", "y", "sample_weight"), checked, strict=True)))

    def evaluate(self, x=None, y=None, *args, **kwargs):
        """As Keras' own, with the condition as y; refuses what `fit` refuses."""
        if kwargs.get("_use_cached_eval_dataset"):  # of Keras within `fit`, which checked it
            return super().evaluate(x, y, *args, **kwargs)
        given = _by_name(keras.Model.evaluate, x, y, *args, **kwargs)
        checked = self._entered(x, y, given.get("sample_weight"))
        return super().evaluate(**given | dict(zip(("x", "y", "sample_weight"), checked, strict=True)))

    def predict(self, x, *args, **kwargs):
        """As Keras' own: log p(x), (n,); rows with NaN or infinity give NaN, all else is refused as by `fit`."""
        x, _, _ = self._entered(x, None, None, finite=False, squares=False)
        return super().predict(x, *args, **kwargs)

    def train_on_batch(self, x, y=None, sample_weight=None, class_weight=None, *args, **kwargs):
        """As Keras' own, with the condition as y; refuses what `fit` refuses."""
        self._require_classes(class_weight)
        if self.train_function is None:  # looking through all weights takes longer than a small batch
            self._require_trainable()
        _require_no_data_set(x)
        checked = self._entered(x, y, sample_weight)
        self._learn_columns(x, y)
        return super().train_on_batch(*checked, class_weight, *args, **kwargs)

    def test_on_batch(self, x, y=None, sample_weight=None, *args, **kwargs):
        """As Keras' own, with the condition as y; refuses what `fit` refuses."""
        _require_no_data_set(x)
        return super().test_on_batch(*self._entered(x, y, sample_weight), *args, **kwargs)

    def predict_on_batch(self, x):
        """As Keras' own: log p(x), (n,); refuses what `log_prob` refuses."""
        _require_no_data_set(x)
        return super().predict_on_batch(self._entered(x, None, None, squares=False)[0])

    def _require_classes(self, class_weight):
        if class_weight is not None and self.condition.labels:
            validation.check_class_weight(class_weight, self.condition.labels)
        elif class_weight is not None:
            raise ValueError(
                f"`class_weight` is for flows with `classes`, got {class_weight!r} for one without. Weight rows by "
                "`sample_weight`, or build the flow with `classes`."
            )

    def _entered(self, x, y, weights, where="", **how):
        """x, condition and weights as Keras takes them; a data set whose shapes and types fit is handed on as it is."""
        forked.refuse()
        validation.check_keras_defaults(self.compute_dtype, self._policies())
        if not _is_array(x):
            elements = None
            if isinstance(x, tf.data.Dataset):
                elements = x.element_spec
            elif isinstance(x, keras.utils.PyDataset) and x.num_batches != 0:
                elements = specs(x[0], where)
            elif isinstance(x, types.GeneratorType):
                first, x = looked_into(x)
                elements = specs(first, where)
            if elements is not None:
                check_data_set(elements, self.x_space, self.condition, where)
            return x, y, weights
        frames.require_aligned({f"{where}x": x, f"{where}condition": y, f"{where}sample_weight": weights})
        x = self._checked_array(x, where, **{"squares": True, **how})
        y = self._checked_condition(y, x.shape[0], where)
        if weights is not None:
            what = f"{where}sample_weight"
            weights = frames.to_array(weights, what) if frames.is_frame(weights) else weights
            weights = validation.check_weights(weights, x.shape[0], what)
            if y is None:  # Keras drops weights that have no y beside them
                y = np.zeros((x.shape[0], 0), "float32")
        return x, y, weights

    def _checked(self, x, condition, **how):
        """x and its condition as tensors, or an error that says what was expected and what came."""
        frames.require_aligned({"x": x, "condition": condition})
        x = self._checked_array(x, **how)
        return tf.convert_to_tensor(x), self._checked_condition(condition, x.shape[0])

    def _checked_array(self, x, where="", **how):
        what = f"{where}x"
        _require_no_data_set(x, what)
        frame, x = frames.is_frame(x), _columns(x, what, self.columns, self.x_space)
        if frame and not self.x_space.values and x.dtype.kind in "biu":
            x = x.astype(np.float64)  # whole numbers are numbers in a table; in an array they may be unscaled pixels
        return validation.check_array(x, self.x_space, what, **how)

    def _checked_condition(self, condition, rows, where="", shared=False):
        forked.refuse()
        what = f"{where}condition"
        if self.condition.named and isinstance(condition, Mapping):
            spaces = self.condition.spaces
            condition = {
                name: _columns(part, self.condition.called(name, what), None, spaces.get(name))
                for name, part in condition.items()
            }
        else:
            condition = _columns(condition, what, self.condition_columns, self.condition.spaces.get(ONE))
        return validation.check_condition(condition, self.condition, rows, shared=shared, what=what)

    def _learn_columns(self, x, condition):
        """Keeps the names of frames, once they are checked, if the flow knows none."""
        self.columns = self.columns or frames.column_names(x)
        if not isinstance(condition, Mapping):
            self.condition_columns = self.condition_columns or frames.column_names(condition)

    def _policies(self):
        for layer in self._flatten_layers():  # only when the first is asked for
            yield layer.dtype_policy.name

    def _require_trainable(self):
        if not self.trainable_weights:
            raise ValueError(
                f"All {len(self.weights)} weights of this flow are frozen, so there is nothing to train. Set "
                "`trainable = True` on the flow, or on a layer of it."
            )


def _require_no_data_set(x, what="x"):
    if isinstance(x, (tf.data.Dataset, keras.utils.PyDataset)):
        raise TypeError(
            f"`{what}` must be an array, got a data set. `fit`, `evaluate` and `predict` take data sets, `score` a "
            "tf.data.Dataset; elsewhere pass the rows of a batch."
        )


def _is_array(x):
    return isinstance(x, list) or tf.is_tensor(x) or frames.is_frame(x) or hasattr(x, "__array__")


def _columns(value, what, names, space):
    """A frame or series as an array; a series may be the only column of a vector of one."""
    if not frames.is_frame(value):
        return value
    count = space.shape[0] if space is not None and len(space.shape) == 1 else 0
    if value.ndim == 1 and count > 1:
        raise ValueError(
            f"`{what}` must have {count} columns, got the Series {value.name!r}. Pass a frame, as by df[['a', 'b']], "
            "or df.iloc[[0]] for one row."
        )
    array = frames.to_array(value, what, names)
    return array[:, None] if count == 1 and array.ndim == 1 else array


def _by_name(method, x, y, *args, **kwargs) -> dict[str, Any]:
    """The arguments of a method of Keras by name."""
    given = inspect.signature(method).bind(None, x, y, *args, **kwargs).arguments
    return {name: value for name, value in given.items() if name not in ("self", "kwargs")} | given.get("kwargs", {})
