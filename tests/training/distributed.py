"""A process of a distributed training: python -m tests.training.distributed OUT JOB [JOB ...]

Each JOB is JSON: {"preset": "circle" or "images", "training": changes to its recipe, "run": arguments of
`training.run`; in its workdir "{worker}" stands for the number of this process}. "signal": [number, worker, step] makes
the worker send itself a signal after that step, unless the file OUT.signalled is there; "nan": step spoils a batch;
"tpu_cores": CPU devices that pass for a TPU. What came of the i-th goes to OUT.<i>.<worker>.npz: the weights at the
start, at the end and the best, the history, and how it ended.
"""

import json
import os
import sys
from pathlib import Path

import numpy as np

from tests.training import toy


def worker():
    return json.loads(os.environ["TF_CONFIG"])["task"]["index"] if "TF_CONFIG" in os.environ else 0


def pretend(name, cores):
    """Lets CPU devices be found where a TPU is looked for."""
    from unittest import mock

    import tensorflow as tf

    from flowzoo.training.distributed import strategy

    edge = mock.Mock()
    edge.resolver.return_value.master.return_value = ""

    class Strategy:  # Keras asks whether a strategy is of this class
        def __new__(cls, resolver):
            edge.strategy(resolver)
            return strategy._mirrored(cores)

    tf.distribute.cluster_resolver.TPUClusterResolver = edge.resolver
    tf.config.experimental_connect_to_cluster = edge.connect
    tf.tpu.experimental.initialize_tpu_system = edge.initialize
    tf.distribute.TPUStrategy = Strategy
    found = strategy.connect("tpu", tpu=name)
    resolver = edge.resolver.return_value
    expected = [mock.call.resolver(tpu=name), mock.call.resolver().master(), mock.call.connect(resolver)]
    assert edge.mock_calls == [*expected, mock.call.initialize(resolver), mock.call.strategy(resolver)], edge.mock_calls
    assert found.count == cores and found.chief


def train(out, job):
    """One training; returns arrays."""
    from flowzoo import training
    from flowzoo.training import callbacks, trainer

    if "tpu_cores" in job:
        pretend(job["run"]["tpu"], job["tpu_cores"])
    number, who, when = job.get("signal", (0, -1, -1))
    signalled = Path(f"{out}.signalled")
    kept, restore, count = {}, trainer._Training.restore, callbacks.Count.on_train_batch_end

    def restored(self, *start):
        restore(self, *start)
        kept.update(flow=self.flow, start=self.flow.get_weights())

    def counted(callback, batch, logs=None):
        count(callback, batch, logs)
        if (who, when) == (worker(), callback.progress.step) and not signalled.exists():
            signalled.touch()
            os.kill(os.getpid(), number)

    toy.Circle.changed = staticmethod(lambda step, x: x * np.float32("nan" if step == job.get("nan") else 1))
    preset = toy.preset(toy.CIRCLE if job["preset"] == "circle" else toy.IMAGES, **job.get("training", {}))
    options = job["run"] | {"workdir": job["run"]["workdir"].format(worker=worker())}
    trainer._Training.restore, callbacks.Count.on_train_batch_end = restored, counted
    sources, trainer.Sources = trainer.Sources, toy.Circle if job["preset"] == "circle" else trainer.Sources
    try:
        result = training.run(preset, **options)
    except (training.NonFiniteLoss, training.StateError, training.ChiefError) as error:
        return {"end": f"{type(error).__name__}: {error}"}
    finally:
        trainer._Training.restore, callbacks.Count.on_train_batch_end, trainer.Sources = restore, count, sources
    rows = [[value for name, value in row.items() if name != "seconds"] for row in result.history]
    arrays = {"end": f"{result.stopped} at {result.step}", "history": np.array(rows)}
    for part, weights in (("start", kept["start"]), ("last", kept["flow"].get_weights())):
        arrays |= {f"{part}/{k}": value for k, value in enumerate(weights)}
    return arrays | {f"best/{k}": value for k, value in enumerate(result.flow.get_weights())}


if __name__ == "__main__":
    toy.fixture_as_data()
    for i, job in enumerate(map(json.loads, sys.argv[2:])):
        np.savez(f"{sys.argv[1]}.{i}.{worker()}.npz", **train(sys.argv[1], job))
