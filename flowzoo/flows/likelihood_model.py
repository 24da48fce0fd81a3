"""The Keras side of a flow: a model whose output is log p(x), trained and measured with nothing but data."""

from __future__ import annotations

import keras
import tensorflow as tf

from flowzoo.flows.loss import BitsPerDim, NegativeLogLikelihood


class LikelihoodModel(keras.Model):
    """A model with `call(x, condition, training)` -> log p(x), (batch,), and `dims`, the size of one x, and `bits`
    of its integers (0 if continuous).

    Elements of a dataset are x or (x, condition), optionally with sample weights third.
    """

    def compile(self, optimizer="adam", loss=None, weighted_metrics=None, jit_compile=False, **kwargs):
        """As Keras' own, with the negative log-likelihood as default loss; XLA is the `xla` switch, not jit_compile."""
        if jit_compile:
            raise ValueError("`jit_compile` must be False: set `flow.xla = True` to compile log_prob with XLA.")
        default = [BitsPerDim(self.dims)] if self.bits else []
        super().compile(
            optimizer=optimizer,
            loss=NegativeLogLikelihood(self.dims) if loss is None else loss,
            weighted_metrics=default if weighted_metrics is None else weighted_metrics,
            jit_compile=False,
            **kwargs,
        )

    def compile_from_config(self, config):
        self.compile(**keras.saving.deserialize_keras_object(config))
        self.optimizer.build(self.trainable_variables)

    def fit(self, x=None, *args, **kwargs):
        """As Keras' own; a flow that was not compiled is compiled with its defaults first."""
        if not self.compiled:
            self.compile()
        return super().fit(x, *args, **kwargs)

    def evaluate(self, x=None, *args, **kwargs):
        """As Keras' own; a flow that was not compiled is compiled with its defaults first."""
        if not self.compiled:
            self.compile()
        return super().evaluate(x, *args, **kwargs)

    def train_step(self, data):
        x, condition, weight = keras.utils.unpack_x_y_sample_weight(data)
        with tf.GradientTape() as tape:
            log_prob = self(x, condition, training=True)
            loss = self._tracked_loss(x, log_prob, weight, training=True)
            scaled = self.optimizer.scale_loss(loss)
        self.optimizer.apply_gradients(
            zip(tape.gradient(scaled, self.trainable_weights), self.trainable_weights, strict=True)
        )
        return self.compute_metrics(x, log_prob, log_prob, sample_weight=weight)

    def test_step(self, data):
        x, condition, weight = keras.utils.unpack_x_y_sample_weight(data)
        log_prob = self(x, condition, training=False)
        self._tracked_loss(x, log_prob, weight, training=False)
        return self.compute_metrics(x, log_prob, log_prob, sample_weight=weight)

    def predict_step(self, data):
        x, condition, _ = keras.utils.unpack_x_y_sample_weight(data)
        return self(x, condition, training=False)

    def _tracked_loss(self, x, log_prob, weight, training):
        loss = self.compute_loss(x, log_prob, log_prob, weight, training=training)
        rows = tf.shape(log_prob)[0] if weight is None else tf.reduce_sum(weight)
        self._loss_tracker.update_state(loss, sample_weight=tf.cast(rows, "float32"))
        return loss
