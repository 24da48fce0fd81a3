"""Continues a training on a device that JAX reaches, with the program of `flowzoo.training.offload.program`.

Nothing here imports TensorFlow.
"""

from __future__ import annotations

import dataclasses
import json
import math
import os
import time
from concurrent import futures
from pathlib import Path
from typing import Any

import numpy as np
from absl import logging

from flowzoo.core import files
from flowzoo.core.errors import NonFiniteError
from flowzoo.record.recipe import check_limits, recipes, staged
from flowzoo.training import folder as workfolder
from flowzoo.training import state
from flowzoo.training.machine import peak_resident
from flowzoo.training.progress import Progress, write_history

FORMAT = 3
MANIFEST, EXAMPLES = "program.json", "examples.npz"
PACE_CALLS = 5  # trial calls, which show the pace
PACE_KEPT = 0.9  # devices slow down as they warm up


def run(
    workdir: str | os.PathLike,
    program: str | os.PathLike,
    *,
    last_step: int | None = None,
    minutes: float | None = None,
    save_minutes: float = 5.0,
) -> int:
    """Runs the program of a training in its work folder, whose state then is that of a later step.

    `training.run` resumes there, or concludes what is finished. The programs are compiled anew unless
    JAX_COMPILATION_CACHE_DIR names a folder.

    Args:
        workdir: the work folder, in which the training has begun.
        program: the folder that `program.export` wrote.
        last_step: go no further than this; None for the recipe's end. Steps that do not fill a whole call are left out.
        minutes: pause after this many; the compilation is not counted. Before the first step, also change the
            recipe's `steps`, in preset.json too, to nine tenths of what this device would do by then, judging by a few
            trial calls.
        save_minutes: minutes between states.

    Returns:
        The step of the last state.

    Raises:
        StateError: there is no state, its preset.json is damaged, or another process is training there.
        ValueError: `program` is damaged, of another training, or of another version of flowzoo; a limit is below 0, or
            `minutes` are too few for the recipe.
        ArithmeticError: the loss or a weight is not finite; the last state is kept.
        FileNotFoundError: there is no such work folder or program.
        ImportError: there is no JAX.
    """
    check_limits(last_step=last_step, minutes=minutes, save_minutes=save_minutes)
    workdir, program = Path(workdir), Path(program)
    preset, manifest = workfolder.record(workdir), _manifest(program)
    if _but_steps(preset) != _but_steps(manifest["preset"]):
        raise ValueError(
            f"{program} must be exported from the training in {workdir}, but it was exported from another. Export it "
            "again."
        )
    with workfolder.alone(workdir):
        files.remove_leftovers(workdir)
        training = _Offloaded(workdir, program, manifest, preset)
        training.run(last_step, minutes, save_minutes)
    return training.progress.step


def _manifest(program: Path) -> dict[str, Any]:
    """What is in the folder of a program, once it is known to be whole."""
    try:
        manifest = files.read_json(program / MANIFEST, "format")
    except ValueError as error:
        raise ValueError(f"{error} Export it again.") from error
    if manifest["format"] != FORMAT:
        raise ValueError(f"{program} must have format {FORMAT}, got {manifest['format']}. Export it again.")
    for name, expected in manifest["files"].items():
        if wrong := files.damage(program / name, expected):
            raise ValueError(f"{program / name} {wrong}. Export it again, and copy the whole folder.")
    return manifest


def _but_steps(preset: dict[str, Any]) -> dict[str, Any]:
    *earlier, last = staged(preset["training"])
    return {**preset, "training": [*earlier, {**last, "steps": 0}]}


class _Offloaded:
    def __init__(self, workdir: Path, folder: Path, manifest: dict[str, Any], preset: dict[str, Any]):
        try:
            import jax
        except ImportError as error:
            raise ImportError(f"offloading needs JAX, got: {error}. `pip install flowzoo[offload]`.") from error

        jax.config.update("jax_enable_x64", True)  # so that 64-bit inputs stay what they are
        self.workdir, self.manifest, self.preset, self.device = workdir, manifest, preset, jax.devices()[0]
        self.recipe = recipes(preset["training"])[-1]  # the one of this folder
        self.hardware = f"{self.device.device_kind} by JAX {jax.__version__}"
        saved = state.load(workdir / "state")
        if saved is None:
            raise state.StateError(f"{workdir} has no state. Begin with `tools/train.py --max_steps=0`.")
        arrays, facts = saved
        self.progress = Progress.restored(facts, state.unpack("best", arrays))
        self.progress.step = facts["step"]
        with np.load(folder / EXAMPLES) as examples:
            arrays |= {name: examples[name] for name in examples.files}
        self.arrays = {n: jax.device_put(v, self.device) for n, v in arrays.items() if not n.startswith("best/")}
        with futures.ThreadPoolExecutor() as pool:  # a large one takes minutes
            made = {name: pool.submit(_Program, folder, it, self.device) for name, it in manifest["programs"].items()}
        self.programs = {name: program.result() for name, program in made.items()}

    def run(self, last_step: int | None, minutes: float | None, save_minutes: float) -> None:
        progress, steps_per_call = self.progress, self.manifest["steps_per_call"]
        before, begun = progress.seconds, time.monotonic()
        deadline = math.inf if minutes is None else begun + 60 * minutes
        if minutes is not None and not progress.step:
            self.fit_in(deadline)
        last = min(self.recipe.steps, math.inf if last_step is None else last_step)
        warm, saved = False, begun
        while progress.step + steps_per_call <= last and time.monotonic() < deadline:
            start = time.monotonic()
            logs = self.train()
            now = time.monotonic()
            progress.note_steps(self.hardware, now - start if warm else None, steps_per_call)
            progress.seconds, warm = before + now - begun, True
            if progress.step == self.recipe.steps:
                progress.finished = "steps"
            if progress.finished or progress.step % self.recipe.validate_every < steps_per_call:
                self.validate(logs)
            if now - saved >= 60 * save_minutes:
                saved = now
                self.save()
        self.save()

    def fit_in(self, deadline: float) -> None:
        """Changes the recipe's steps, before the first, to what fits until the deadline, judging by trial calls."""
        import jax

        kept = self.arrays
        self.arrays, times = {name: jax.numpy.array(value) for name, value in kept.items()}, []  # copies
        for _ in range(PACE_CALLS + 1):
            self.train()
            times.append(time.monotonic())
        self.arrays, steps_per_call = kept, self.manifest["steps_per_call"]
        pace = (times[-1] - times[0]) / PACE_CALLS  # the first call is slower
        steps = steps_per_call * int(PACE_KEPT * (deadline - times[-1]) / pace)
        least = max(steps_per_call, self.recipe.warmup_steps + 1)
        if steps < least:
            raise ValueError(f"`minutes` must allow at least {least} steps; {max(steps, 0)} fit here.")
        logging.info("%d steps instead of %d.", steps, self.recipe.steps)
        self.recipe = dataclasses.replace(self.recipe, steps=steps)
        self.preset["training"][-1] = self.recipe.to_dict()
        files.write_atomic(self.workdir / "preset.json", json.dumps(self.preset, indent=2) + "\n")

    def train(self) -> dict[str, float]:
        """One call; gives the running means and the learning rate."""
        results = self.programs["train"](self.arrays | {"decay_steps": np.int32(self.recipe.decay_steps)})
        self.arrays |= {name: value for name, value in results.items() if name in self.arrays}
        logs = {name: float(value) for name, value in results.items() if name not in self.arrays}
        if not logs.pop("finite"):
            raise NonFiniteError(
                f"The loss or a gradient is not finite within {self.manifest['steps_per_call']} steps after step "
                f"{self.progress.step}; the step that met it changed nothing. The last state written is kept; "
                "tools/train.py, resuming from it, names the transform."
            )
        return logs

    def validate(self, logs: dict[str, float]) -> None:
        weights, averages = self._kept("model/"), self.manifest["averages"]
        candidates = {"raw": weights}
        if averages:
            candidates["ema"] = weights | {weight: self.arrays[slot] for weight, slot in averages.items()}
        values = {
            name: float(self.programs["validate"](self.arrays | candidate)["loss"])
            for name, candidate in candidates.items()
        }
        progress = self.progress
        which, better = progress.note_validation(self.manifest["metric"], logs, logs["learning_rate"], values)
        if better:
            progress.best_weights = [np.array(candidates[which][name]) for name in sorted(weights)]
        write_history(self.workdir / "history.csv", progress.rows)
        self.arrays |= {n: np.zeros_like(v) for n, v in self._kept("metrics/").items()}  # the next means begin here
        logging.info(" | ".join(f"{key} {value:.6g}" for key, value in progress.rows[-1].items()))

    def save(self) -> None:
        progress = self.progress
        arrays = {name: np.asarray(value) for name, value in self._kept("model/", "optimizer/", "metrics/").items()}
        if bad := state.not_finite(arrays):
            raise ArithmeticError(f"{bad[:3]} are not finite at step {progress.step}. The last state written is kept.")
        peak = (self.device.memory_stats() or {}).get("peak_bytes_in_use")
        progress.note_memory({"memory": peak_resident()} | ({"gpu_memory": peak} if peak else {}))
        arrays |= state.pack("best", progress.best_weights)
        state.save(self.workdir / "state", progress.step, arrays, progress.facts())

    def _kept(self, *kinds: str) -> dict[str, Any]:
        return {name: value for name, value in self.arrays.items() if name.startswith(kinds)}


class _Program:
    """A compiled program: arrays by name to results by name."""

    def __init__(self, folder: Path, facts: dict[str, Any], device: Any):
        from jax._src import compiler  # JAX has no public way to take a program that is not its own
        from jax._src.interpreters import mlir
        from jax._src.lib import xla_client
        from jax._src.lib.mlir import ir

        self.inputs, self.outputs, self.device = facts["inputs"], facts["outputs"], device
        start = time.monotonic()
        with mlir.make_ir_context():
            module = ir.Module.parse(xla_client._xla.mlir.hlo_to_stablehlo((folder / facts["file"]).read_bytes()))
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

    def __call__(self, arrays: dict[str, Any]) -> dict[str, Any]:
        import jax

        buffers = [jax.device_put(arrays[name], self.device) for name in self.inputs]
        results = self.executable.execute_sharded(buffers).disassemble_into_single_device_arrays()
        return {name: result[0] for name, result in zip(self.outputs, results, strict=True)}


def _remove_copies(module: Any) -> None:
    """Removes the copy operations with which TensorFlow's results end: StableHLO, the form for GPUs, has none."""
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
