"""The Keras side of a flow: a model whose output is log p(x), trained and measured with nothing but data."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

from flowzoo.core.checks import check_count
from flowzoo.core.context import Context
from flowzoo.core.warn import warn
from flowzoo.models import finite
from flowzoo.models.accumulation import in_parts
from flowzoo.models.adapting import prepare
from flowzoo.models.feeding import in_full
from flowzoo.models.fused_update import fuse
from flowzoo.models.loss import BitsPerDim, NegativeLogLikelihood
from flowzoo.models.traced_option import TracedOption
from flowzoo.models.workers import across_workers
from flowzoo.objectives.registry import LIKELIHOOD, check_objective


class GenerativeModel(keras.Model):
    """A model with `objective(x, condition, context)`, what `fit` minimises, and `call(x, condition)`, log p(x), both
    (batch,); and `dims`, the size of one x, its `x_space`, and the flag `adapted`.

    Elements of a dataset are x, (x, condition) or (x, condition, sample weight).
    """

    accumulate = TracedOption(1, check_count)  # micro-batches that make one step of the optimizer; see docs/memory.md
    training_objective = TracedOption(LIKELIHOOD, check_objective)  # what `fit` minimises; set it before `compile`

    def compile(self, optimizer="adam", loss=None, weighted_metrics=None, jit_compile: bool = False, **kwargs) -> None:
        """As Keras' own, with the objective per dimension as default loss; XLA is the `xla` switch, not jit_compile."""
        if jit_compile:
            raise ValueError("`jit_compile` must be False: set `flow.xla = True` to compile log_prob with XLA.")
        likelihood = self.training_objective == LIKELIHOOD
        default = [BitsPerDim(self.dims)] if self.x_space.values and likelihood else []
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
        """As Keras' own; and `slots`, the numbers of the weights that have slots, unless all that can be trained have.

        None says that the optimizer was not built.
        """
        config, optimizer = super().get_compile_config(), getattr(self, "optimizer", None)
        if config is None or optimizer is None:
            return config
        place = {id(weight): i for i, weight in enumerate(self.weights)}
        slots = [place.get(id(weight)) for weight in optimizer._trainable_variables] if optimizer.built else None
        usual = [place[id(weight)] for weight in self.trainable_weights]
        frozen = not all(layer.trainable for layer in self._flatten_layers())  # in a new flow none is
        if None in (slots or ()) or (slots == usual and not frozen):
            return config
        return {**config, "slots": slots}

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

        Raises:
          NonFiniteError: a step met a loss or gradient that is not finite; weights, slots and `iterations` are as
            before that step. It says which rows of the batch, or which weights, are the cause.
        """
        self._begin()
        prepare(self, x, y)
        self._build_optimizer()
        with self._explained_step():
            return super().fit(**in_full(super().fit, self.data_dtype, x, y, *args, **kwargs))

    def train_on_batch(self, x, y=None, *args, **kwargs):
        """One step of `fit`, with its errors; the first adapts a new flow, as `fit` does."""
        self._begin()
        if self.train_function is None:  # looking through all weights takes longer than a small batch
            prepare(self, x, y, "train_on_batch")
        self._build_optimizer()
        with self._explained_step():
            return super().train_on_batch(x, y, *args, **kwargs)

    def evaluate(self, x=None, y=None, *args, **kwargs):
        """As Keras' own, with the condition as y.

        Raises:
          NonFiniteError: the loss of a batch is not finite; it says in which rows.
        """
        self._begin()
        with self._explained_evaluation():
            return super().evaluate(**in_full(super().evaluate, self.data_dtype, x, y, *args, **kwargs))

    def test_on_batch(self, x, y=None, *args, **kwargs):
        """One batch of `evaluate`, with its errors."""
        self._begin()
        with self._explained_evaluation():
            return super().test_on_batch(x, y, *args, **kwargs)

    def predict(self, x, *args, **kwargs) -> np.ndarray:
        """As Keras' own: log p(x), (n,); x and condition come as one data set. Warns of rows that are NaN."""
        log_prob = super().predict(**in_full(super().predict, self.data_dtype, x, *args, **kwargs))
        rows = np.flatnonzero(np.isnan(log_prob))
        if rows.size:
            shown = ", ".join(map(str, rows[:10])) + (", ..." if rows.size > 10 else "")
            warn(f"log p(x) is NaN for {rows.size} of {len(log_prob)} rows: {shown}.")
        return log_prob

    def train_step(self, data) -> dict:
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
        with tf.control_dependencies([self._require_finite(batch, log_prob, loss, gradients)]):
            self._track(loss, x)
            self.optimizer.apply_gradients(zip(gradients, weights, strict=True))
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

    def get_metrics_result(self) -> dict:
        logs = super().get_metrics_result()
        if tf.distribute.in_cross_replica_context() or not across_workers(tf.distribute.get_strategy()):
            return logs
        # Keras takes the mean over axis 0 here, which scalars lack (keras issue 20585).
        return {name: tf.reshape(value, [1]) for name, value in logs.items()}

    def _maybe_symbolic_build(self, iterator=None, data_batch=None) -> None:
        """As Keras' own, unless that fails: it averages the first batch over the replicas.

        Several workers it does not know (keras issue 20585), and parts that were dealt out before may differ in size.
        There is nothing to build in a flow; but over finite data sets MirroredStrategy's graphs fail without it (run).
        """
        data = None if iterator is None else iterator.data_adapter.get_tf_dataset()
        if not (isinstance(data, tf.distribute.DistributedDataset) or across_workers(self.distribute_strategy)):
            super()._maybe_symbolic_build(iterator=iterator, data_batch=data_batch)

    def _begin(self):
        if not self.compiled:
            self.compile()

    def _build_optimizer(self):
        """Slots that the first step made would cost a second trace of it."""
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

    def _require_finite(self, batch, log_prob, loss, gradients):
        scaled = isinstance(self.optimizer, keras.optimizers.LossScaleOptimizer)  # it leaves such updates out itself
        return finite.require(self, batch, log_prob, loss, () if scaled else gradients)

    def _track(self, loss, x):
        replicas = tf.distribute.get_strategy().num_replicas_in_sync
        # Keras divided the loss by the replicas.
        self._loss_tracker.update_state(loss * replicas, sample_weight=tf.cast(tf.shape(x)[0], loss.dtype))

    def _share(self, x):
        """The part of the loss that is this replica's: of a ragged batch some have fewer rows."""
        replicas = tf.distribute.get_strategy().num_replicas_in_sync
        if replicas == 1:
            return 1.0
        rows = tf.cast(tf.shape(x)[0], self.compute_dtype)  # the mean of the replicas' means would not be the mean
        return replicas * rows / tf.distribute.get_replica_context().all_reduce("sum", rows)
