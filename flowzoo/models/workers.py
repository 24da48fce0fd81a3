"""Whether a training runs in several processes."""

from __future__ import annotations

import tensorflow as tf


def across_workers(strategy: tf.distribute.Strategy) -> bool:
    """Whether the replicas of a strategy live in several processes, and this is one of them."""
    return isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy) and strategy.extended._in_multi_worker_mode()
