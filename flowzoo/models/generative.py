"""The Keras side of a flow: a model whose output is log p(x), trained, measured and stored as any Keras model."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from flowzoo.core.checks import check_count
from flowzoo.core.context import Context
from flowzoo.core.space import Condition, Space
from flowzoo.core.warn import warn
from flowzoo.models import finite
from flowzoo.models.accumulation import in_parts
from flowzoo.models.feeding import in_full
from flowzoo.models.fused_update import fuse
from flowzoo.models.intake import Intake, by_name, is_rows
from flowzoo.models.loss import NegativeLogLikelihood, likelihood_metric, require_no_target
from flowzoo.models.saving import keras_file, require_new, with_slots
from flowzoo.models.traced_option import TracedOption
from flowzoo.models.undone import undoing
from flowzoo.models.weights import (
    load_weights,
    require_finite_numbers,
    require_finite_store,
    save_weights,
    sets_variables,
)
from flowzoo.models.workers import across_workers
from flowzoo.objectives.registry import LIKELIHOOD, check_objective


class GenerativeModel(keras.Model):
    """What `fit`, `evaluate`, `save`, recipes and measurements know of a model.

    A subclass has `objective`, `sample` and `call(x, condition)`, log p(x), (batch,), and says what it `offers`.

    All methods take arrays, tensors and pandas frames and series, or data sets, whose elements are x, (x, condition)
    or (x, condition, sample weight). Weight files hold weights only. Copies by pickle and `copy.deepcopy` keep all
    traced options, a configuration only `training_objective`.
    """

    x_space: Space  # of one example
    condition: Condition  # what it is conditioned on
    dims: int  # the size of one x
    kind: str  # what log p(x) is: "exact", "estimate" or "lower_bound"
    intake: Intake  # checks what comes in
    adapted: keras.Variable  # whether its weights were set from data, or loaded
    offers: frozenset[str] = frozenset()  # names of the methods that users may call: what it can do
    _backups = ()  # folders of the `BackupAndRestore` callbacks of the running `fit`

    accumulate = TracedOption(1, check_count)  # micro-batches that make one step of the optimizer; see docs/memory.md
    training_objective = TracedOption(LIKELIHOOD, check_objective)  # what `fit` minimises; set it before `compile`

    def objective(self, x, condition=None, context: Context | None = None) -> tf.Tensor:
        """What `fit` minimises: (batch,)."""
        raise NotImplementedError(f"{type(self).__name__} must implement `objective`.")

    def sample(self, n: int, condition=None, temperature=1.0, seed=None, batch_size: int | None = None) -> tf.Tensor:
        """Draws n samples: (n, *x_space.shape)."""
        raise NotImplementedError(f"{type(self).__name__} must implement `sample`.")

    def outside_columns(self, x: tf.Tensor) -> tf.Tensor:
        """Which columns of x have a number that the model can't take: (columns,) bool, or (0,) of a model without."""
        return tf.zeros([0], tf.bool)

    def _prepare(self, x, y, method):
        """What `method` does with checked data before its first step."""

    def _review(self, x, history):
        """What `fit` says of its data after its last step."""

    def compile(self, optimizer="adam", loss=None, weighted_metrics=None, jit_compile: bool = False, **kwargs) -> None:
        """As Keras' own, with the objective per dimension as default loss; XLA is the option `xla`, not jit_compile.

        A loss of your own, or a metric, is given log p(x) twice, as target and as output: a flow has no target.

        Raises:
          ValueError: a loss or metric is one of Keras' own, which compare the two; or `jit_compile` is True.
        """
        if jit_compile:
            raise ValueError("`jit_compile` must be False: set `flow.xla = True` to compile log_prob with XLA.")
        require_no_target(loss, "loss", "the objective per dimension")
        for name, metrics in (("metrics", kwargs.get("metrics")), ("weighted_metrics", weighted_metrics)):
            require_no_target(metrics, name, "the flow's own")
        likelihood = self.training_objective == LIKELIHOOD
        default = [likelihood_metric(self.x_space, self.dims)] if self.x_space.values and likelihood else []
        super().compile(
            optimizer=optimizer,
            loss=NegativeLogLikelihood(self.dims) if loss is None else loss,
            weighted_metrics=default if weighted_metrics is None else weighted_metrics,
            jit_compile=False,
            **kwargs,
        )
        if self.optimizer is not None:
            fuse(self.optimizer)
        # Under tf.distribute Keras would build these by calling the model with neither condition nor target.
        rows = tf.zeros([1])
        for part in (self._compile_loss, self._compile_metrics):
            if part is not None:
                part.build(rows, rows)

    def get_compile_config(self) -> dict | None:
        return with_slots(self, super().get_compile_config())

    def compile_from_config(self, config: dict) -> None:
        config = dict(config)
        slots = config.pop("slots", False)
        self.compile(**keras.saving.deserialize_keras_object(config))
        if slots is False:
            self._build_optimizer()
        elif slots is not None:
            with self.distribute_strategy.scope():
                self.optimizer.build([self.weights[i] for i in slots])

    def fit(self, x=None, y=None, *args, **kwargs) -> keras.callbacks.History:
        """As Keras' own, with the condition as y; a flow that was not compiled is compiled with its defaults first.

        A new flow that was not adapted is adapted to its first rows, with a warning that says so; see `Flow.adapt`.

        Args:
          x: arrays, tensors, pandas frames or series; or a data set of x, (x, condition) or (x, condition, weights): a
            `tf.data.Dataset`, a `PyDataset`, or a generator, which yields each batch once and so lasts for one epoch,
            or as many as `steps_per_epoch` divides it into.
          y: the condition, if x is not a data set.
          *args, **kwargs: as Keras takes them; `sample_weight` needs no condition beside it.

        Raises:
          TypeError, ValueError: x, y, `sample_weight` or `validation_data` are of the wrong type, shape or range, not
            finite, or so large that their squares overflow; `validation_split` leaves no rows on one side; a frame
            lacks a column that the flow knows, or has an index other than that of x; `class_weight` does not have one
            number per class; a generator is to last for several epochs; or all weights are frozen. Of data sets only
            shapes and types are checked, not each row; those of a PyDataset or generator as each batch is yielded.
          NonFiniteError: a step met a loss, gradient or learning rate that is not finite; weights, slots and
            `iterations` are as before that step. It says which rows of the batch, or which weights, are the cause. Or
            weights are not finite at the end, because an optimizer's own update overflowed.
        """
        self._require_trainable()
        given = self.intake.to_fit(by_name(keras.Model.fit, x, y, *args, **kwargs))
        self._begin()
        self._prepare(given["x"], given["y"], "fit")
        self._build_optimizer()
        backing_up, scale = self._backing_up(given.get("callbacks")), finite.watching_scale(self)
        with self.intake.explained(), self._explained_step(), backing_up, scale:
            history = super().fit(**in_full(super().fit, self.x_space.dtype, **given))
        finite.require_weights(self)
        self._review(given["x"], history)
        return history

    def train_on_batch(self, x, y=None, sample_weight=None, class_weight=None, *args, **kwargs):
        """One step of `fit`, with its errors; the first adapts a new flow, as `fit` does."""
        self.intake.require_classes(class_weight)
        first = self.train_function is None  # looking through all weights takes longer than a small batch
        if first or not self.trainable:
            self._require_trainable()
        checked = self.intake.batch(x, y, sample_weight)
        self.intake.learn_columns(x, y)
        self._begin()
        if first:
            self._prepare(checked["x"], checked["y"], "train_on_batch")
        self._build_optimizer()
        with self._explained_step():
            return super().train_on_batch(*checked.values(), class_weight, *args, **kwargs)

    def evaluate(self, x=None, y=None, *args, **kwargs):
        """As Keras' own, with the condition as y; refuses what `fit` refuses.

        Raises:
          NonFiniteError: the loss of a batch is not finite; it says in which rows.
        """
        given = by_name(keras.Model.evaluate, x, y, *args, **kwargs)
        if not given.get("_use_cached_eval_dataset"):  # of Keras within `fit`, which checked it
            given |= self.intake.rows(x, y, given.get("sample_weight"))
        self._begin()
        with self.intake.explained(), self._explained_evaluation():
            return super().evaluate(**in_full(super().evaluate, self.x_space.dtype, **given))

    def test_on_batch(self, x, y=None, sample_weight=None, *args, **kwargs):
        """One batch of `evaluate`, with its errors."""
        checked = self.intake.batch(x, y, sample_weight)
        self._begin()
        with self._explained_evaluation():
            return super().test_on_batch(*checked.values(), *args, **kwargs)

    def predict(self, x, *args, **kwargs) -> np.ndarray:
        """As Keras' own: log p(x), (n,); x and condition come as one data set.

        Rows with NaN give NaN, with a warning that lists them, infinite ones NaN or -inf; all else that `fit` refuses
        is refused.
        """
        given = by_name(keras.Model.predict, x, *args, **kwargs)
        if self.condition and (is_rows(x) or isinstance(x, tuple)):
            raise ValueError(
                "`predict` of Keras takes a condition in a data set only, got x alone or a tuple. Pass "
                "tf.data.Dataset.from_tensor_slices((x, condition)).batch(64), or call `score(x, condition)`."
            )
        given["x"] = self.intake.rows(x, None, None, finite=False, squares=False)["x"]
        with self.intake.explained():
            log_prob = super().predict(**in_full(super().predict, self.x_space.dtype, **given))
        rows = np.flatnonzero(np.isnan(log_prob))
        if rows.size:
            shown = ", ".join(map(str, rows[:10])) + (", ..." if rows.size > 10 else "")
            warn(f"log p(x) is NaN for {rows.size} of {len(log_prob)} rows: {shown}.")
        return log_prob

    def predict_on_batch(self, x):
        """As Keras' own: log p(x), (n,); refuses what `log_prob` refuses."""
        return super().predict_on_batch(self.intake.batch(x, None, None, squares=False)["x"])

    def train_step(self, data) -> dict:
        self._require_trainable()  # whatever called it
        x, condition, weight = keras.utils.unpack_x_y_sample_weight(data)
        weights, share = self.trainable_weights, self._share(x)

        def gradients(x, condition, weight):
            with tf.GradientTape() as tape:
                log_prob = -self.objective(x, condition, Context(training=True))
                loss = self.compute_loss(x, log_prob, log_prob, weight, training=True)
                scaled = self.optimizer.scale_loss(loss * tf.cast(share, loss.dtype))
            pairs = zip(tape.gradient(scaled, weights), weights, strict=True)
            # an objective may leave weights as they are: Keras would warn, and the sum of parts needs a gradient
            found = [tf.zeros(w.shape, w.dtype) if g is None else g for g, w in pairs]
            return log_prob, tf.cast(loss, log_prob.dtype), found

        batch = (x, condition, weight)
        log_prob, loss, gradients = in_parts(gradients, batch, self.accumulate, weights, self.compute_dtype)
        with tf.control_dependencies([self.require_finite(batch, log_prob, loss, gradients)]):
            self._track(loss, x)
            undoing(self, lambda: self.optimizer.apply_gradients(zip(gradients, weights, strict=True)))
            return self.compute_metrics(x, log_prob, log_prob, sample_weight=weight)

    def test_step(self, data) -> dict:
        x, condition, weight = keras.utils.unpack_x_y_sample_weight(data)
        log_prob = -self.objective(x, condition, Context())
        loss = self.compute_loss(x, log_prob, log_prob, weight, training=False)
        with tf.control_dependencies([finite.require(self, (x, condition, weight), log_prob, loss)]):
            self._track(loss, x)
            return self.compute_metrics(x, log_prob, log_prob, sample_weight=weight)

    def predict_step(self, data) -> tf.Tensor:
        x, condition, _ = keras.utils.unpack_x_y_sample_weight(data)
        return self(x, condition, training=False)

    def save(self, filepath: str | os.PathLike, overwrite: bool = True, zipped: bool | None = None) -> None:
        """As Keras' own, to `.keras`, all or nothing.

        Raises:
          ValueError: the name does not end in `.keras`, or `zipped` is False.
          FileExistsError: the file exists, and `overwrite` is False.
          OSError: the file can't be written; an existing one stays as it was.
        """
        with keras_file(filepath, overwrite, zipped) as path:
            super().save(path, overwrite=overwrite or path != filepath, zipped=zipped)

    def save_weights(self, filepath: str | os.PathLike, overwrite: bool = True, max_shard_size: float | None = None):
        """Writes the weights only, without optimizer slots, all or nothing.

        For `keras.callbacks.BackupAndRestore` it writes the optimizer too, so that training can resume.

        Args:
          filepath: ends in `.weights.h5`.
          overwrite: whether an existing file is replaced.
          max_shard_size: must be None: a flow's weights are in one file.

        Raises:
          ValueError: the name does not end in `.weights.h5`, or `max_shard_size` is given.
          FileExistsError: the file exists, and `overwrite` is False.
        """
        if max_shard_size is not None:
            raise ValueError(
                f"`max_shard_size` must be None, got {max_shard_size!r}: a flow's weights are in one file."
            )
        require_new(filepath, overwrite)
        save_weights(self, filepath, optimizer=self._is_backup(filepath))

    def load_weights(self, filepath: str | os.PathLike, skip_mismatch: bool = False, **kwargs) -> None:
        """As Keras' own, but a file that is not exactly this flow's is refused, not loaded in part.

        Args:
          filepath: a `.weights.h5`, or a `.keras` file, of which the weights are taken.
          skip_mismatch: True loads what fits, by Keras' own rules: variables may be missing, extra or of another shape.

        Raises:
          CheckpointError: the file is missing or damaged, or a variable is missing, extra, of another shape or not of
            finite numbers; it names them.
        """
        strict = not skip_mismatch and not kwargs
        if not strict:
            require_finite_numbers(self, filepath)
        if strict:
            load_weights(self, filepath)
        if not strict or self._is_backup(filepath):  # whose optimizer's state is loaded, too
            super().load_weights(filepath, skip_mismatch=skip_mismatch, **kwargs)

    @sets_variables
    def load_own_variables(self, store: Any) -> None:
        """Called by Keras before any layer is loaded, whoever loads; refuses numbers that are not finite."""
        require_finite_store(self, store)
        super().load_own_variables(store)

    def get_metrics_result(self) -> dict:
        logs = super().get_metrics_result()
        if tf.distribute.in_cross_replica_context() or not across_workers(tf.distribute.get_strategy()):
            return logs
        # Keras takes the mean over axis 0 here, which scalars lack (keras issue 20585).
        return {name: tf.reshape(value, [1]) for name, value in logs.items()}

    def _maybe_symbolic_build(self, iterator=None, data_batch=None) -> None:
        """As Keras' own, unless that fails: it averages the first batch over the replicas.

        It can't handle several workers (keras issue 20585), nor parts of different sizes, as distributed data have.
        A flow has nothing to build, but without it MirroredStrategy's graphs fail on finite data sets, when tried.
        """
        data = None if iterator is None else iterator.data_adapter.get_tf_dataset()
        if not (isinstance(data, tf.distribute.DistributedDataset) or across_workers(self.distribute_strategy)):
            super()._maybe_symbolic_build(iterator=iterator, data_batch=data_batch)

    def _is_backup(self, path):
        return os.path.dirname(os.path.abspath(path)) in self._backups

    def __reduce__(self) -> tuple[Any, ...]:
        named = {name: value for kind in type(self).__mro__ for name, value in vars(kind).items()}
        options = [name for name, value in named.items() if isinstance(value, TracedOption) and name in vars(self)]
        return (*super().__reduce__(), {name: vars(self)[name] for name in options})

    @contextlib.contextmanager
    def _backing_up(self, given) -> Iterator[None]:
        callbacks = keras.tree.flatten(getattr(given, "callbacks", given))  # one, several, or a list of Keras' own
        kept = (each for each in callbacks if isinstance(each, keras.callbacks.BackupAndRestore))
        self._backups = tuple(os.path.abspath(each.backup_dir) for each in kept)
        try:
            yield
        finally:
            self._backups = ()

    def _policies(self):
        for layer in self._flatten_layers():  # only when the first is asked for
            yield layer.dtype_policy.name

    def _require_trainable(self):
        if not self.trainable_weights:
            raise ValueError(
                f"All {len(self.weights)} weights of this flow are frozen, so there is nothing to train. Set "
                "`trainable = True` on the flow, or on one of its layers."
            )

    def _begin(self):
        if not self.compiled:
            self.compile()

    def _build_optimizer(self):
        """Makes the slots now: made by the first step, they would cost a second trace of it."""
        if not self.optimizer.built:  # a loss scale would begin anew
            with self.distribute_strategy.scope():
                self.optimizer.build(self.trainable_variables)

    def _explained_step(self):
        def stopped():
            step = int(tf.convert_to_tensor(self.optimizer.iterations)) + 1  # int() of one fails under tf.distribute
            return f"Step {step} was stopped before it changed anything"

        return finite.explained(self, stopped)

    def _explained_evaluation(self):
        return finite.explained(self, lambda: "The evaluation was stopped")

    def require_finite(self, batch, log_prob, loss, gradients) -> tf.Tensor:
        """Stops a step unless all is finite: a scalar bool on which the update must depend; see `finite.require`."""
        scaled = isinstance(self.optimizer, keras.optimizers.LossScaleOptimizer)  # it skips such updates itself
        watched = {} if scaled else {"gradients": gradients, "rate": self.optimizer.learning_rate}
        return finite.require(self, batch, log_prob, loss, **watched)

    def _track(self, loss, x):
        replicas = tf.distribute.get_strategy().num_replicas_in_sync
        # Keras divided the loss by the replicas.
        self._loss_tracker.update_state(loss * replicas, sample_weight=tf.cast(tf.shape(x)[0], loss.dtype))

    def _share(self, x):
        """This replica's share of the loss: in a ragged batch some have fewer rows."""
        replicas = tf.distribute.get_strategy().num_replicas_in_sync
        if replicas == 1:
            return 1.0
        rows = tf.cast(tf.shape(x)[0], self.compute_dtype)  # the mean of the replicas' means would not be the mean
        return replicas * rows / tf.distribute.get_replica_context().all_reduce("sum", rows)
