"""Goes on with a training on a device that JAX reaches, by the program of `flowzoo.training.program`.

Nothing here imports TensorFlow.
"""

from __future__ import annotations

import json
import math
import os
import time
from concurrent import futures
from pathlib import Path
from typing import Any

import numpy as np
from absl import logging

from flowzoo import files
from flowzoo.training import folder as workfolder
from flowzoo.training import state
from flowzoo.training.progress import Progress, write_history
from flowzoo.training.recipe import Recipe

FORMAT = 1
MANIFEST, DATA = "program.json", "examples.npz"
PACE_CALLS = 6  # calls that tell the pace


def run(
    workdir: str | os.PathLike,
    program: str | os.PathLike,
    *,
    last_step: int | None = None,
    minutes: float | None = None,
    save_minutes: float = 5.0,
) -> int:
    """Runs the program of a training in its work folder, whose state then is that of a later step.

    `training.run` goes on from there, or concludes what is finished. The programs are compiled anew unless
    JAX_COMPILATION_CACHE_DIR names a folder.

    Args:
        workdir: the work folder, in which the training has begun.
        program: the folder that `program.export` wrote.
        last_step: go no further than this; None for the recipe's end. Steps that are no whole call are left.
        minutes: change the recipe's `steps`, in preset.json too, to what this device would do in so many minutes by
            its first calls, and pause when they are over; the compilation is not counted.
        save_minutes: minutes between states.

    Returns:
        The step of the last state.

    Raises:
        StateError: there is no state, or another process is training there.
        ArithmeticError: the loss is not finite; the last state is kept.
        FileNotFoundError: `program` has no program.
    """
    workdir, program = Path(workdir), Path(program)
    with workfolder.alone(workdir):
        training = _Offloaded(workdir, program)
        training.run(last_step, minutes, save_minutes)
    return training.progress.step


class _Offloaded:
    def __init__(self, workdir: Path, program: Path):
        import jax

        jax.config.update("jax_enable_x64", True)  # of the inputs: what is computed is up to the program
        self.workdir, self.device = workdir, jax.devices()[0]
        self.manifest = json.loads((program / MANIFEST).read_text())
        if self.manifest["format"] != FORMAT:
            raise ValueError(f"{program} must be of format {FORMAT}, got {self.manifest['format']}. Export it again.")
        saved = state.load(workdir / "state")
        if saved is None:
            raise state.StateError(f"{workdir} has no state. Begin with `tools/train.py --max_steps=0`.")
        arrays, facts = saved
        self.progress = Progress.restored(facts, state.unpack("best", arrays))
        self.progress.step = facts["step"]
        self.preset = json.loads((workdir / "preset.json").read_text())
        with np.load(program / DATA) as examples:
            arrays |= {name: examples[name] for name in examples.files}
        self.arrays = {
            name: jax.device_put(value, self.device) for name, value in arrays.items() if "best/" not in name
        }
        with futures.ThreadPoolExecutor() as pool:  # each takes minutes to compile
            programs = {
                name: pool.submit(_Program, program, facts, self.device)
                for name, facts in self.manifest["programs"].items()
            }
        self.programs = {name: made.result() for name, made in programs.items()}
        self.hardware = f"{self.device.device_kind} by JAX {jax.__version__}"

    def run(self, last_step: int | None, minutes: float | None, save_minutes: float) -> None:
        progress, calls = self.progress, self.manifest["steps_per_call"]
        begun = saved = time.monotonic()
        before, first, warm = progress.seconds, progress.step, None
        deadline = begun + 60 * minutes if minutes else math.inf
        while progress.step + calls <= min(self.recipe.steps, last_step or math.inf) and time.monotonic() < deadline:
            start = time.monotonic()
            logs = self.train()
            now = time.monotonic()
            progress.step += calls
            progress.seconds = before + now - begun
            progress.hardware[self.hardware] = progress.hardware.get(self.hardware, 0) + calls
            if warm is None:
                warm = now
            else:
                progress.step_seconds, progress.timed_steps = (
                    progress.step_seconds + now - start,
                    progress.timed_steps + calls,
                )
            if minutes and progress.step == first + PACE_CALLS * calls:
                pace = (now - warm) / (PACE_CALLS - 1)
                self.reschedule(progress.step + calls * int((deadline - now) / pace))
            finished = progress.step == self.recipe.steps
            if (
                finished
                or progress.step // self.recipe.validate_every > (progress.step - calls) // self.recipe.validate_every
            ):
                self.validate(logs)
            progress.finished = "steps" if finished else ""
            if finished or now - saved >= 60 * save_minutes:
                saved = now
                self.save()
        self.save()

    @property
    def recipe(self) -> Recipe:
        return Recipe.from_dict(self.preset["training"])

    def reschedule(self, steps: int) -> None:
        logging.info("%d steps instead of %d.", steps, self.recipe.steps)
        self.preset["training"]["steps"] = steps
        files.write_atomic(self.workdir / "preset.json", json.dumps(self.preset, indent=2) + "\n")

    def train(self) -> dict[str, float]:
        recipe = self.recipe
        decay_steps = np.int32(recipe.steps - min(recipe.warmup_steps, recipe.steps - 1))
        results = self.programs["train"](self.arrays | {"decay_steps": decay_steps})
        self.arrays |= {name: value for name, value in results.items() if name in self.arrays}
        logs = {name: float(value) for name, value in results.items() if name not in self.arrays}
        if not math.isfinite(logs["loss"]):
            raise ArithmeticError(
                f"The loss is {logs['loss']} after step {self.progress.step}. The last state is kept."
            )
        return logs

    def validate(self, logs: dict[str, float]) -> None:
        weights = {name: value for name, value in self.arrays.items() if name.startswith("model/")}
        averaged = weights | {weight: self.arrays[slot] for weight, slot in self.manifest["averages"].items()}
        candidates = {"raw": weights} | ({"ema": averaged} if self.manifest["averages"] else {})
        values = {
            name: float(self.programs["validate"](self.arrays | candidate)["loss"])
            for name, candidate in candidates.items()
        }
        progress = self.progress
        which, better = progress.note_validation(self.manifest["metric"], logs, logs["learning_rate"], values)
        if better:
            progress.best_weights = [np.array(candidates[which][name]) for name in sorted(weights)]
        write_history(self.workdir / "history.csv", progress.rows)
        for name in self.arrays:
            if name.startswith("metrics/"):
                self.arrays[name] = np.zeros_like(self.arrays[name])  # the next row has the mean from here on
        pace = progress.seconds_per_step or 0.0
        logging.info("%s | %.3g s/step", " | ".join(f"{k} {v:.6g}" for k, v in progress.rows[-1].items()), pace)

    def save(self) -> None:
        progress = self.progress
        peak = (self.device.memory_stats() or {}).get("peak_bytes_in_use")
        progress.note_memory({"gpu_memory": peak} if peak else {})
        kept = {
            n: np.asarray(v) for n, v in self.arrays.items() if n.partition("/")[0] in ("model", "optimizer", "metrics")
        }
        if not all(np.isfinite(value).all() for value in kept.values() if value.dtype.kind == "f"):
            raise ArithmeticError(
                f"Some weights or slots are not finite at step {progress.step}. The last state is kept."
            )
        state.save(
            self.workdir / "state", progress.step, kept | state.pack("best", progress.best_weights), progress.facts()
        )


class _Program:
    """A compiled program: arrays by name to results by name."""

    def __init__(self, folder: Path, facts: dict[str, Any], device: Any):
        from jax._src import compiler  # JAX has no public way to take another framework's XLA program
        from jax._src.interpreters import mlir
        from jax._src.lib import xla_client
        from jax._src.lib.mlir import ir

        self.inputs, self.outputs = facts["inputs"], facts["outputs"]
        code = xla_client._xla.mlir.hlo_to_stablehlo((folder / facts["file"]).read_bytes())
        start = time.monotonic()
        with mlir.make_ir_context():
            module = ir.Module.parse(code)
            _remove_copies(module)
            self.executable = compiler.compile_or_get_cached(
                device.client,
                module,
                np.array([device]),
                compiler.get_compile_options(num_replicas=1, num_partitions=1),
                [],
                xla_client.DeviceList((device,)),
            )
        logging.info("Compiled %s in %.0f s.", facts["file"], time.monotonic() - start)
        self.device = device

    def __call__(self, arrays: dict[str, Any]) -> dict[str, Any]:
        import jax

        buffers = [jax.device_put(arrays[name], self.device) for name in self.inputs]
        results = self.executable.execute_sharded(buffers).disassemble_into_single_device_arrays()
        return {name: result[0] for name, result in zip(self.outputs, results, strict=True)}


def _remove_copies(module: Any) -> None:
    """Removes the copies with which TensorFlow's results end: there is no such operation outside XLA."""
    from jax._src.lib.mlir import ir

    copies = []

    def note(operation):
        if operation.operation.name == "mhlo.copy":
            copies.append(operation.operation)
        return ir.WalkResult.ADVANCE

    module.operation.walk(note)
    for copy in copies:
        copy.results[0].replace_all_uses_with(copy.operands[0])
        copy.erase()
