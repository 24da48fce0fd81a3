"""The step of a training as an XLA program, for a device that JAX reaches and TensorFlow does not.

The program is what XLA makes of `Flow.train_step`, the optimizer, and the order, flips and noise of the data, so it
does what `fit` does; its inputs and outputs are the arrays of a state. `flowzoo.training.offload.jobs` runs it.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import tensorflow as tf

from flowzoo.core import files
from flowzoo.core.errors import PresetError
from flowzoo.data import pipeline
from flowzoo.data.specs import spec
from flowzoo.hub.presets import read_preset
from flowzoo.measure import registry
from flowzoo.measure.examples import arrays
from flowzoo.measure.measurement import Measurement
from flowzoo.modalities.registry import modality_of
from flowzoo.models import finite
from flowzoo.models.flow import Flow
from flowzoo.models.layers import wrapped
from flowzoo.record.preset import Preset
from flowzoo.record.recipe import Recipe, recipes
from flowzoo.training.model import compiled
from flowzoo.training.offload.jobs import EXAMPLES, FORMAT, MANIFEST

VALIDATION_ROWS = 256  # scored at once, at most


def export(workdir: str | os.PathLike, folder: str | os.PathLike, steps_per_call: int = 50) -> Path:
    """Writes the programs of a work folder's training, its examples and the names of inputs and outputs.

    Args:
        workdir: a folder in which `training.run` has begun (`max_steps` 0 will do).
        folder: where program.json, train.hlo, validate.hlo and examples.npz go.
        steps_per_call: steps that the program takes when called; at most an epoch's.

    Returns:
        The path of program.json.

    Raises:
        PresetError: the recipe stops early or changes its split, which no program does.
        ValueError: `steps_per_call` is out of range.
    """
    preset = read_preset(Path(workdir) / "preset.json")
    recipe, folder = recipes(preset.training)[-1], Path(folder)
    for name in ("patience", "finish_steps"):
        if getattr(recipe, name):
            raise PresetError(f"{preset.source}: `training.{name}` must be 0 to train by a program.")
    if recipe.shift and modality_of(spec(preset.dataset["name"]).x_space).signal:
        raise PresetError(f"{preset.source}: `training.shift` must be 0 to train by a program, which has clips only.")
    given, checked = _examples(preset, "train"), _examples(preset, "validation", recipe.validation_examples)
    epoch_steps = len(given["train/x"]) // recipe.batch_size
    if not 1 <= steps_per_call <= epoch_steps:
        raise ValueError(f"`steps_per_call` must be 1 to {epoch_steps}, an epoch's, got {steps_per_call}.")
    validated = registry.validation(preset, recipe.validation)
    flow = compiled(preset, recipe)
    names = _names(flow)
    (folder / MANIFEST).unlink(missing_ok=True)  # a folder without one is not a program
    programs = {
        "train": _program(_training(flow, recipe, steps_per_call), {"decay_steps": np.int32(1)} | given, names, folder),
        "validate": _program(_validation(flow, validated, len(checked["validation/x"])), checked, names, folder),
    }
    with files.atomic(folder / EXAMPLES) as file:
        np.savez(file, **given, **checked)
    manifest = {
        "format": FORMAT,
        "preset": files.read_json(Path(workdir) / "preset.json"),
        "metric": validated.column,
        "steps_per_call": steps_per_call,
        "programs": programs,
        "averages": _averages(flow, names) if recipe.ema else {},
        "files": {
            path.name: {"sha256": files.sha256(path), "bytes": path.stat().st_size}
            for path in (folder / EXAMPLES, *(folder / made["file"] for made in programs.values()))
        },
    }
    files.write_atomic(folder / MANIFEST, json.dumps(manifest, indent=1) + "\n")
    return folder / MANIFEST


def _examples(preset: Preset, split: str, limit: int | None = None) -> dict[str, np.ndarray]:
    x, labels = arrays(preset.dataset, split, limit)
    return {f"{split}/x": x} | ({} if labels is None else {f"{split}/labels": labels})


def _training(flow: Flow, recipe: Recipe, steps_per_call: int) -> Callable:
    def train(decay_steps, x, *labels):
        size, batch = x.shape[0], recipe.batch_size
        steps = size // batch
        start = tf.cast(tf.convert_to_tensor(flow.optimizer.iterations), tf.int64)
        first = start // steps  # no call sees more than two epochs
        changes = {"flip": recipe.flip, "shift": recipe.shift}
        epochs = [pipeline.epoch_plan(size, recipe.seed, first + k, **changes) for k in (0, 1)]
        plan = [tf.concat([part[: steps * batch] for part in parts], axis=0) for parts in zip(*epochs, strict=True)]
        places = start % steps * batch + tf.range(steps_per_call * batch, dtype=tf.int64)
        rows, coins, moves = (tf.gather(part, places) for part in plan)  # a slice would have a dynamic size
        shown = [tf.gather(part, rows) for part in (x, *labels)]
        shown[0] = pipeline.altered(shown[0], coins if recipe.flip else None, moves if recipe.shift else None)
        # All at once: XLA works for minutes on fusing this with a step.
        shown = [tf.reshape(part, [steps_per_call, batch, *part.shape[1:]]) for part in shown]

        def body(i, sound, logs):
            now, new = _masked_step(flow, tuple(tf.gather(part, i) for part in shown))
            return i + 1, sound & now, {name: tf.where(now, new[name], logs[name]) for name in logs}

        with _decaying(flow, decay_steps):
            start = (0, tf.constant(True), flow.get_metrics_result())
            _, sound, logs = tf.while_loop(lambda i, sound, _: (i < steps_per_call) & sound, body, start)
            rate = tf.convert_to_tensor(flow.optimizer.learning_rate)
            return logs | {"learning_rate": rate, "finite": tf.cast(sound, tf.float32)}

    return train


def _masked_step(flow: Flow, batch: tuple) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    """Whether a step is finite, and its logs; if it is not it changes nothing. XLA has no way to stop it."""
    variables = [v.value for v in (*flow.weights, *flow.optimizer.variables, *flow.metrics_variables)]
    before, found = [tf.identity(variable) for variable in variables], []

    def note(_):
        return lambda batch, log_prob, loss, gradients: found.append(finite.check(loss, gradients)) or found[-1]

    with wrapped([(flow, "require_finite", note)]):
        logs = flow.train_step(batch)
    for variable, value in zip(variables, before, strict=True):
        variable.assign(tf.where(found[0], variable, value))
    return found[0], logs


def _validation(flow: Flow, measured: Measurement, count: int) -> Callable:
    rows = max(rows for rows in range(1, min(count, VALIDATION_ROWS) + 1) if count % rows == 0)

    def validate(*examples):
        parts = tuple(tf.reshape(part, [count // rows, rows, *part.shape[1:]]) for part in examples)
        losses = tf.map_fn(
            lambda part: measured.traced_losses(flow, *part), parts, fn_output_signature=flow.compute_dtype
        )
        return {"loss": tf.reduce_mean(losses)}

    return validate


def _program(function: Callable, arguments: dict[str, np.ndarray], names: dict[int, str], folder: Path) -> dict:
    """Writes a program; returns its file and the names of its inputs and outputs."""
    specs = [tf.TensorSpec(value.shape, value.dtype) for value in arguments.values()]
    function_of_specs = tf.function(function, jit_compile=True, autograph=False)
    concrete = function_of_specs.get_concrete_function(*specs)
    lower = function_of_specs.experimental_get_compiler_ir(*specs)
    header = lower(stage="hlo").partition("\n")[0]
    inputs = [*arguments, *(names[id(handle)] for handle in concrete.captured_inputs)]
    outputs = sorted(concrete.structured_outputs)
    updated = re.findall(r"\{(\d+)\}: \((\d+), \{\}", header)  # what replaces which input
    for place, source in updated:
        if int(place) != len(outputs):
            raise RuntimeError(
                f"TensorFlow's program must give what it replaces after its {len(outputs)} results, got place {place}. "
                "Use a version of TensorFlow that setup.py names."
            )
        outputs.append(inputs[int(source)])
    path = folder / f"{function.__name__}.hlo"
    with files.atomic(path) as file:
        file.write(lower(stage="hlo_serialized"))
    return {"file": path.name, "inputs": inputs, "outputs": outputs}


def _names(flow: Flow) -> dict[int, str]:
    """The name in a state of each variable, by the identity of its handle."""
    kinds = {"model": flow.weights, "optimizer": flow.optimizer.variables, "metrics": flow.metrics_variables}
    return {
        id(variable.value.handle): f"{kind}/{i:05d}"
        for kind, variables in kinds.items()
        for i, variable in enumerate(variables)
    }


def _averages(flow: Flow, names: dict[int, str]) -> dict[str, str]:
    """Which slot of the optimizer is the moving average of which weight."""
    pairs = zip(flow.trainable_variables, flow.optimizer._model_variables_moving_average, strict=True)
    return {names[id(v.value.handle)]: names[id(average.value.handle)] for v, average in pairs}


@contextlib.contextmanager
def _decaying(flow: Flow, steps: tf.Tensor) -> Iterator[None]:
    """The learning rate decays over this many steps, a tensor, while the program is traced."""
    schedule = flow.optimizer._learning_rate
    before, schedule.decay_steps = schedule.decay_steps, steps
    try:
        yield
    finally:
        schedule.decay_steps = before
