"""Where a training runs: one device, several devices, several processes or a TPU, behind one interface.

One process alone, the chief, owns the work folder, the clock and the validation. What it decides reaches the others by
`Replicas.any` and `Replicas.from_chief`, which all processes call at the same places.
"""

from __future__ import annotations

import contextlib
import functools
import io
import json
import os
import socket
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from flowzoo.training import state

STRATEGIES = ("one", "mirrored", "multiworker", "tpu")
PIECE = 2**17  # int64 numbers sent at once: 1 MiB
TPU_SECONDS = 10  # TensorFlow itself would keep trying an address where nobody listens
# What a collective says when a peer's connection broke, when it was aborted or cancelled as another one failed, or when
# the peer stayed silent. Errors of the computation itself have other classes.
LOST = (
    tf.errors.UnavailableError,
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
)


class StrategyError(ValueError):
    """The devices or processes that a strategy needs are not there, or don't suit the recipe."""


class ChiefError(RuntimeError):
    """The chief gave up; its own log has the reason in full."""


class PeerLost(RuntimeError):
    """Another process of the training is gone, or could not be met; all must start again."""


def connect(name: str | None = None, *, devices: int | None = None, tpu: str | None = None) -> Replicas:
    """Joins the devices or processes; must come before anything else that TensorFlow computes in this process.

    Args:
        name: "one" (TensorFlow's default device), "mirrored" (the devices of this machine), "multiworker" (processes
            that the environment variable TF_CONFIG lists; waits until all are there) or "tpu". None for the one that
            `tpu` or `devices` implies, else "one".
        devices: for "mirrored", how many; None for all GPUs. Without a GPU this many logical devices on the CPU, which
            is slower than one and serves to rehearse.
        tpu: for "tpu", its name or address; "local" on a TPU VM.

    Raises:
        StrategyError: the devices or processes aren't there.
        PeerLost: the processes could not meet; starting all again may help.
    """
    if name is None:
        name = "tpu" if tpu is not None else "mirrored" if devices is not None else "one"
    if name not in STRATEGIES:
        raise StrategyError(f"`strategy` must be one of {list(STRATEGIES)}, got {name!r}.")
    for argument, value, owner in (("devices", devices, "mirrored"), ("tpu", tpu, "tpu")):
        if value is not None and name != owner:
            raise StrategyError(f"`{argument}` is for strategy {owner!r}, got it with {name!r}. Leave it out.")
    if name == "mirrored":
        return Replicas(name, _mirrored(devices))
    if name == "multiworker":
        return Replicas(name, *_multiworker())
    if name == "tpu":
        return Replicas(name, _tpu(tpu))
    return Replicas(name, tf.distribute.get_strategy())


class Replicas:
    """The replicas of one training and the processes in which they live.

    Attributes:
        name: the strategy's.
        count: replicas; each has its own part of a batch.
        workers: processes.
        chief: whether this process is the one that reads and writes the work folder.
    """

    def __init__(self, name: str, strategy: tf.distribute.Strategy, workers: int = 1, chief: bool = True):
        self.name, self.workers, self.chief = name, workers, chief
        self.count = strategy.num_replicas_in_sync
        self._strategy = strategy
        # Traced once: each eager reduction would leave a key behind in TensorFlow's collectives.
        self._sum = tf.function(lambda value: strategy.reduce("SUM", value, axis=None))

    def require(self, batch_size: int, accumulate: int = 1) -> None:
        """Refuses a global batch that can't be dealt out to the replicas and their micro-batches."""
        if batch_size < self.count:
            raise StrategyError(
                f"`batch_size` must be at least the number of replicas, got {batch_size} for {self.count} of them. "
                "Train on fewer devices, or raise the recipe's batch size."
            )
        if accumulate < 1 or (accumulate > 1 and batch_size % (self.count * accumulate)):
            raise StrategyError(
                "`accumulate` must divide each replica's part of the batch into equal micro-batches, got "
                f"{accumulate} for a `batch_size` of {batch_size} on {self.count} replicas."
            )
        if self.name == "tpu" and batch_size % self.count:
            raise StrategyError(
                f"`batch_size` must be a multiple of the number of TPU replicas, as all cores run one program: "
                f"got {batch_size} for {self.count} of them."
            )

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """Raises `PeerLost` for the errors that TensorFlow raises when another process is gone."""
        try:
            yield
        except LOST as error:
            if self.workers == 1:
                raise
            raise PeerLost(
                f"Another worker is gone ({type(error).__name__}). The last state is good: start all workers again."
            ) from error

    def scope(self) -> contextlib.AbstractContextManager:
        """Within it variables have a copy on each replica."""
        return self._strategy.scope() if self.name != "one" else contextlib.nullcontext()

    def deal_out(self, batches: tf.data.Dataset) -> Any:
        """Gives each replica its rows of every batch; of n rows replica k gets those from k n // count on.

        Args:
            batches: an endless stream of global batches, x or a tuple, the same in all processes.
        """
        if self.count == 1:
            return batches

        def stream(context: tf.distribute.InputContext) -> tf.data.Dataset:
            here = self.count // context.num_input_pipelines
            first = context.input_pipeline_id * here
            parts = batches.flat_map(
                lambda *batch: tf.data.Dataset.range(first, first + here).map(lambda k: self._part(batch, k))
            )
            endless = tf.data.experimental.assert_cardinality(tf.data.INFINITE_CARDINALITY)
            return parts.apply(endless).prefetch(tf.data.AUTOTUNE)

        return self._strategy.distribute_datasets_from_function(stream)

    def any(self, *flags: bool) -> list[bool]:
        """Whether any process says so, for each flag: the same answer in all of them."""
        if self.workers == 1:
            return list(flags)
        return [bool(count) for count in self._sum(tf.constant(flags, tf.float32)).numpy()]

    def from_chief(self, work: Callable[[], state.Saved | None]) -> state.Saved:
        """Does `work` on the chief, and gives all processes the result, or an error where the chief has one.

        Args:
            work: returns (arrays, facts) as `flowzoo.training.state` keeps them; None for nothing.

        Raises:
            ChiefError: the chief failed, and this is another process.
        """
        if self.workers == 1:
            return work() or ({}, {})
        error, content = None, b""
        if self.chief:
            try:
                arrays, facts = work() or ({}, {})
            except Exception as caught:
                error, arrays, facts = caught, {}, {"error": f"{type(caught).__name__}: {caught}"}
            file = io.BytesIO()
            state.write(file, arrays, facts)
            content = file.getvalue()
        arrays, facts = state.read(io.BytesIO(self._broadcast(content)))
        if error is not None:
            raise error
        if "error" in facts:
            raise ChiefError(f"The chief failed with {facts['error']}")
        return arrays, facts

    def _broadcast(self, content: bytes) -> bytes:
        size = int(self._sum(tf.constant([len(content)], tf.int64))[0])  # the others' content is empty
        words = np.zeros([-(-size // (8 * PIECE)), PIECE], np.int64)  # pieces of one shape: nothing is traced again
        words.view(np.uint8).reshape(-1)[: len(content)] = np.frombuffer(content, np.uint8)
        for piece in words:
            piece[:] = self._sum(tf.constant(piece)).numpy()
        return words.tobytes()[:size]

    def _part(self, batch: tuple, index: tf.Tensor) -> Any:
        parts = []
        for column in batch:
            rows = tf.shape(column, tf.int64)[0]
            part = column[index * rows // self.count : (index + 1) * rows // self.count]
            if column.shape[0] is not None and column.shape[0] % self.count == 0:  # a TPU needs to know
                part = tf.ensure_shape(part, [column.shape[0] // self.count, *column.shape[1:]])
            parts.append(part)
        return tuple(parts) if len(parts) > 1 else parts[0]


def summed_first(optimizer: type[keras.optimizers.Optimizer]) -> type[keras.optimizers.Optimizer]:
    """An optimizer class that adds up the replicas' gradients before it does anything else with them.

    Keras 3.15 clips each replica's gradient and only then adds up, so that `global_clipnorm` would depend on the number
    of replicas.
    """

    class SummedFirst(optimizer):
        def apply(self, grads, trainable_variables=None):
            replica = tf.distribute.get_replica_context()
            return super().apply(replica.all_reduce("sum", list(grads)), trainable_variables)

        def _all_reduce_sum_gradients(self, grads_and_vars):
            return list(grads_and_vars)

    SummedFirst.__name__ = SummedFirst.__qualname__ = optimizer.__name__
    return SummedFirst


# Later trainings with the same `devices` share the strategy: the collectives of a second one collide with those of the
# first ("is joining a group with size2, but that group has size 4"), so another number of them needs a new process.
@functools.cache
def _mirrored(devices: int | None) -> tf.distribute.Strategy:
    return tf.distribute.MirroredStrategy(_local_devices(devices))


def _local_devices(count: int | None) -> list[str]:
    if count is not None and count < 1:
        raise StrategyError(f"`devices` must be at least 1, got {count}.")
    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        if count is not None and count > len(gpus):
            raise StrategyError(f"`devices` must be at most {len(gpus)}, the GPUs of this machine, got {count}.")
        return [f"GPU:{i}" for i in range(count or len(gpus))]
    if count is not None:
        wanted = [tf.config.LogicalDeviceConfiguration()] * count
        with contextlib.suppress(RuntimeError):  # TensorFlow runs already
            tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], wanted)
    there = [device.name for device in tf.config.list_logical_devices("CPU")]
    if count is not None and count > len(there):
        raise StrategyError(
            f"`devices` must be at most {len(there)}, as TensorFlow runs already in this process with this many CPU "
            f"devices, got {count}. Start a new process."
        )
    return there[:count]


@functools.cache
def _multiworker() -> tuple[tf.distribute.Strategy, int, bool]:
    text = os.environ.get("TF_CONFIG", "")
    try:
        config = json.loads(text)
        addresses, index = config["cluster"]["worker"], int(config["task"]["index"])
        alone = set(config["cluster"]) != {"worker"} or config["task"]["type"] != "worker"
    except (ValueError, KeyError, TypeError):
        addresses, index, alone = [], 0, True
    if alone or not 0 <= index < len(addresses):
        raise StrategyError(
            "strategy 'multiworker' needs the environment variable TF_CONFIG with the addresses of all workers and the "
            f'index of this one, such as {{"cluster": {{"worker": ["host0:2222", "host1:2222"]}}, "task": {{"type": '
            f'"worker", "index": 0}}}}, got {text!r}. tools/launch.py sets it; docs/distributed.md says how elsewhere.'
        )
    try:
        strategy = tf.distribute.MultiWorkerMirroredStrategy()
    except RuntimeError as error:  # "Collective ops must be configured at program startup"
        raise StrategyError(f"{error}. Nothing may use TensorFlow in this process before the training.") from error
    except tf.errors.OpError as error:  # a port in use, or a missing peer: the next attempt may succeed
        reason = f"{type(error).__name__}: {error.message.splitlines()[0] if error.message else 'no reason given'}"
        raise PeerLost(
            f"Worker {index}, {addresses[index]}, could not meet the others ({reason}). Its port may be in use here; "
            "start all workers again."
        ) from error
    return strategy, len(addresses), index == 0


@functools.cache
def _tpu(name: str | None) -> tf.distribute.Strategy:
    if not name:
        raise StrategyError("strategy 'tpu' needs `tpu`, the name or address of the TPU, or 'local' on a TPU VM.")
    try:
        resolver = tf.distribute.cluster_resolver.TPUClusterResolver(tpu=name)
        address = resolver.master()
        if address.startswith("grpc://"):
            host, port = address.removeprefix("grpc://").rsplit(":", 1)
            socket.create_connection((host, int(port)), timeout=TPU_SECONDS).close()
        tf.config.experimental_connect_to_cluster(resolver)
        tf.tpu.experimental.initialize_tpu_system(resolver)
        return tf.distribute.TPUStrategy(resolver)
    except (ValueError, RuntimeError, OSError, ImportError, tf.errors.OpError) as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise StrategyError(
            f"strategy 'tpu' found no TPU {name!r} ({reason}). Expected 'local' on a TPU VM, or the name or grpc:// "
            "address of a TPU that this machine can reach. Start one, or train with another strategy."
        ) from error
