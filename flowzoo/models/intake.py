"""What users give a model, checked and made into arrays before a weight changes or a graph is traced.

Of data sets only shapes and types are known then; a bad row in them gives NaN in the graph, and in that row only.
"""

from __future__ import annotations

import contextlib
import inspect
import types
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from flowzoo.core import digits, validation
from flowzoo.core.checks import check_count
from flowzoo.core.space import ONE, Condition, Space
from flowzoo.models import forked, frames
from flowzoo.models.data_sets import check_data_set, with_shapes
from flowzoo.models.watched import Watch, WatchedDataset, watched

KINDS = (
    "Pass the array itself, and the condition as `y`; or a tf.data.Dataset, a PyDataset, a generator, or a DataLoader "
    "of PyTorch."
)
X_DIGITS = "Build the flow with `standardize=True`, which keeps float64, or subtract an offset first."


class Intake:
    """Takes arrays, tensors and pandas frames and series, or data sets, for a model of these spaces.

    Args:
      x_space, condition: of the model.
      dtype: in which the model computes.
      policies: gives the names of the dtype policies of all layers; read only when the first data arrive.

    Attributes:
      columns, condition_columns: names in the first frames that the model was adapted or fitted on, or None; later
        frames are put in this order by name.
      named_columns: as `condition_columns`, of conditions that have names.
    """

    def __init__(self, x_space: Space, condition: Condition, dtype: str, policies: Callable[[], Iterable[str]]):
        self.x_space, self.condition, self.dtype, self.policies = x_space, condition, dtype, policies
        self.columns: list[str] | None = None
        self.condition_columns: list[str] | None = None
        self.named_columns: dict[str, list[str]] = {}
        self._watches: list[Watch] = []  # of the call that begins

    def tensors(self, x, condition, **how) -> tuple[tf.Tensor, Any]:
        """x and its condition as tensors, or an error that says what was expected and what was given."""
        x, condition = self.checked(x, condition, **how)
        return tf.convert_to_tensor(x), condition

    def checked(self, x, condition, **how) -> tuple[np.ndarray | tf.Tensor, Any]:
        """As `tensors`, but an array stays one: as a tensor it would be in memory twice."""
        frames.require_aligned({"x": x, "condition": condition})
        x = self._array(x, **how)
        x = tf.convert_to_tensor(x) if tf.is_tensor(x) else x  # which a variable is not yet
        return x, self.conditions(condition, x.shape[0])

    def conditions(self, condition, rows: int, where: str = "", shared: bool = False) -> Any:
        """The condition of `rows` rows, as tensors; with `shared` one row may stand for all."""
        forked.refuse()
        what = f"{where}condition"
        if self.condition.named and isinstance(condition, Mapping):
            spaces = self.condition.spaces
            condition = {
                name: _columns(part, self.condition.called(name, what), self.named_columns.get(name), spaces.get(name))
                for name, part in condition.items()
            }
        else:
            condition = _columns(condition, what, self.condition_columns, self.condition.spaces.get(ONE))
        checked = validation.check_condition(condition, self.condition, rows, shared=shared, what=what)
        self._warn_of_digits(condition, what)
        return checked

    def rows(self, x, y, weights, where: str = "", **how) -> dict[str, Any]:
        """x, y and sample_weight as Keras takes them; a data set whose shapes and types fit is passed on as it is."""
        forked.refuse()
        validation.check_keras_defaults(self.dtype, self.policies())
        if not where:
            self._watches = []  # of a call that was refused
        if not is_rows(x):
            x = self._data_set(x, where)
            return {"x": x, "y": y, "sample_weight": weights}
        frames.require_aligned({f"{where}x": x, f"{where}condition": y, f"{where}sample_weight": weights})
        x = self._array(x, where, **{"squares": True, **how})
        if not x.shape[0]:
            raise ValueError(f"`{where}x` must have at least one row, got shape {tuple(x.shape)}.")
        y = self.conditions(y, x.shape[0], where)
        if weights is not None:
            what = f"{where}sample_weight"
            weights = frames.to_array(weights, what) if frames.is_frame(weights) else weights
            weights = validation.check_weights(weights, x.shape[0], what)
            if y is None:  # Keras drops weights that have no y beside them
                y = np.zeros((x.shape[0], 0), "float32")
        return {"x": x, "y": y, "sample_weight": weights}

    def batch(self, x, y, weights, **how) -> dict[str, Any]:
        """As `rows`, for arrays only."""
        _require_no_data_set(x)
        return self.rows(x, y, weights, **how)

    def to_fit(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments of `fit` by name, checked; the columns of frames are known from then on."""
        self.require_classes(given.get("class_weight"))
        x, held_out = given.get("x"), given.get("validation_data")
        several = given.get("epochs", 1) - given.get("initial_epoch", 0) > 1
        if isinstance(x, types.GeneratorType) and several and not given.get("steps_per_epoch"):
            raise ValueError(
                f"A generator yields each batch once, so it lasts for one epoch, got `epochs` {given['epochs']}. Pass "
                "`steps_per_epoch`, or a tf.data.Dataset or PyDataset, which start again."
            )
        checked = self.rows(x, given.get("y"), given.get("sample_weight"))
        divided = is_rows(x) and held_out is None
        validation.require_split(given.get("validation_split"), len(checked["x"]) if divided else None)
        known = self.columns, self.condition_columns, self.named_columns
        self.learn_columns(x, given.get("y"))  # by which the columns of `validation_data` are found
        try:
            if isinstance(held_out, (tuple, list)):
                parts = keras.utils.unpack_x_y_sample_weight(tuple(held_out))
                checked["validation_data"] = tuple(self.rows(*parts, "validation ").values())
            elif held_out is not None:
                checked["validation_data"] = self.rows(held_out, None, None, "validation ")["x"]
        except (TypeError, ValueError):
            self.columns, self.condition_columns, self.named_columns = known
            raise
        shuffled = is_rows(x) or isinstance(x, keras.utils.PyDataset)  # of others Keras warns that it does not
        return {**({} if shuffled else {"shuffle": False}), **given, **checked}

    @contextlib.contextmanager
    def explained(self) -> Iterator[None]:
        """Raises the original error of a wrong batch, which TensorFlow turned into another one within."""
        watches, self._watches = self._watches, []
        try:
            yield
        except tf.errors.OpError:
            error = next((watch.error for watch in watches if watch.error), None)
            if error is None:
                raise
            raise error from None

    def require_classes(self, class_weight: Any) -> None:
        """Refuses class weights that do not match the classes."""
        if class_weight is not None and self.condition.labels:
            validation.check_class_weight(class_weight, self.condition.labels)
        elif class_weight is not None:
            raise ValueError(
                f"`class_weight` is for flows with `classes`, got {class_weight!r} for one without. Weight rows by "
                "`sample_weight`, or build the flow with `classes`."
            )

    def learn_columns(self, x, condition) -> None:
        """Keeps the names of frames, once they are checked, if none are known."""
        self.columns = self.columns or _names(x, self.x_space)
        parts = condition if isinstance(condition, Mapping) else {ONE: condition}
        found = {name: _names(part, self.condition.spaces.get(name)) for name, part in parts.items()}
        if self.condition.named:
            self.named_columns = {name: names for name, names in found.items() if names} | self.named_columns
        else:
            self.condition_columns = self.condition_columns or found[ONE]

    def _array(self, x, where="", **how):
        what = f"{where}x"
        _require_no_data_set(x, what)
        frame, x = frames.is_frame(x), _columns(x, what, self.columns, self.x_space, how.get("finite", True))
        if frame and not self.x_space.values and x.dtype.kind in "biu":
            x = x.astype(np.float64)  # whole numbers are numbers in a table; in an array they may be unscaled pixels
        checked = validation.check_array(x, self.x_space, what, **how)
        digits.warn_of_lost_digits(x, self.x_space.dtype, what, X_DIGITS, self.columns)
        return checked

    def _warn_of_digits(self, condition, what):
        for name, space in self.condition.spaces.items():
            if not space.values and condition is not None:
                part = condition[name] if self.condition.named else condition
                names = self.named_columns.get(name) if self.condition.named else self.condition_columns
                fix = "Subtract an offset and divide by a scale first, as by (t - t.mean()) / t.std()."
                digits.warn_of_lost_digits(part, space.dtype, self.condition.called(name, what), fix, names)

    def _look_at_digits(self, batch, where):
        """Warns of lost digits in the first batch of a data set."""
        x, condition, _ = keras.utils.unpack_x_y_sample_weight(batch)
        digits.warn_of_lost_digits(x, self.x_space.dtype, f"{where}x", X_DIGITS, self.columns)
        if condition is not None and self.condition:
            self._warn_of_digits(condition, f"{where}{ONE}")

    def _has_wide(self, elements):
        """Whether numbers may lose digits when cast to float32."""
        x, condition, _ = keras.utils.unpack_x_y_sample_weight(elements)
        pairs = [(x, self.x_space), *((spec, space) for _, spec, space in self.condition.pairs(condition))]
        known = (pair for pair in pairs if isinstance(pair[0], tf.TensorSpec) and not pair[1].values)
        return any(
            space.dtype == "float32" and digits.wide(spec.dtype.as_numpy_dtype(0).dtype) for spec, space in known
        )

    def _data_set(self, x, where):
        if isinstance(x, tf.data.Dataset):
            check_data_set(x.element_spec, self.x_space, self.condition, where)
            if x.cardinality() == 0:  # Keras would only warn that it ran out of data
                raise ValueError(f"`{where}x` must yield batches, got a data set that has none.")
            x = with_shapes(x, self.x_space, self.condition)
            for batch in x.take(1) if self._has_wide(x.element_spec) else ():
                self._look_at_digits(batch, where)
        elif isinstance(x, keras.utils.PyDataset) and x.num_batches != 0:
            x = WatchedDataset(x, self._watch(where))
            self._look_at_digits(x[0], where)  # so that its errors come before a graph is traced
        elif isinstance(x, types.GeneratorType):
            first, x = watched(x, self._watch(where))
            self._look_at_digits(first, where)
        elif not isinstance(x, tf.distribute.DistributedDataset) and "torch" not in type(x).__module__:
            kind = "None" if x is None else type(x).__name__
            raise TypeError(f"`{where}x` must be an array, a frame or a data set, got {kind}. {KINDS}")
        return x

    def _watch(self, where):
        self._watches.append(Watch(self.x_space, self.condition, where))
        return self._watches[-1]


def is_rows(x: Any) -> bool:
    """Whether x holds rows, and is not a data set."""
    return isinstance(x, list) or tf.is_tensor(x) or frames.is_frame(x) or hasattr(x, "__array__")


def needs_intake(value: Any) -> bool:
    """Whether Keras, making a tensor of it, would lose names or a mask."""
    if isinstance(value, Mapping):
        return any(map(needs_intake, value.values()))
    return frames.is_frame(value) or isinstance(value, np.ma.MaskedArray)


def by_name(method: Callable, *args, **kwargs) -> dict[str, Any]:
    """The arguments of a Keras method by name; refuses batch sizes that are not whole numbers >= 1.

    For a size of 0, Keras would use its default.
    """
    given = inspect.signature(method).bind(None, *args, **kwargs).arguments
    given = {name: value for name, value in given.items() if name not in ("self", "kwargs")} | given.get("kwargs", {})
    for name in ("batch_size", "validation_batch_size"):
        if given.get(name) is not None:
            check_count(given[name], name)
    return given


def _require_no_data_set(x, what="x"):
    if isinstance(x, (tf.data.Dataset, keras.utils.PyDataset)):
        raise TypeError(
            f"`{what}` must be an array, got a data set. `fit`, `evaluate` and `predict` take data sets, `score` a "
            "tf.data.Dataset; elsewhere pass the rows of a batch."
        )


def _names(value, space):
    """The names of the columns that a vector is taken from; a label is not a column."""
    return frames.column_names(value) if space is not None and space.shape else None


def _columns(value, what, names, space, finite=True):
    """A frame or series as an array; a series may be the only column of a vector of one."""
    if not frames.is_frame(value):
        return value
    count = space.shape[0] if space is not None and len(space.shape) == 1 else 0
    if value.ndim == 1 and count > 1:
        raise ValueError(
            f"`{what}` must have {count} columns, got the Series {value.name!r}. Pass a frame, as by df[['a', 'b']], "
            "or df.iloc[[0]] for one row."
        )
    array = frames.to_array(value, what, names, finite)
    return array[:, None] if count == 1 and array.ndim == 1 else array
