"""`flowzoo doctor`: what is installed, whether it was tested together, and whether the weights are intact."""

import argparse
import os
import re
from collections.abc import Iterator
from importlib import metadata

from flowzoo.cli.quiet import import_tensorflow

NAME, HELP = "doctor", "Check the installation: versions, devices, weights; exit code 1 when one is off."
TENSORFLOW = False


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """There are none."""


def run(args: argparse.Namespace) -> int:
    """Print one line for each check; 1 when one is off."""
    failed = 0
    from flowzoo.zoo.preset import list_presets

    for ok, line in [*_requirements(), *_environment(), *weights(list_presets())]:
        print(f"{'ok ' if ok else 'OFF'}  {line}")
        failed += not ok
    print(f"{failed} off" if failed else "all in order")
    return 1 if failed else 0


def _requirements() -> Iterator[tuple[bool, str]]:
    try:
        requirements = metadata.requires("flowzoo") or []
    except metadata.PackageNotFoundError:
        yield False, "flowzoo is not installed, only found: run `python -m pip install .` in the clone"
        return
    for requirement in requirements:
        if "extra ==" in requirement:
            continue
        name, bounds = re.fullmatch(r"([\w.-]+)(?:\[.*\])?(.*)", requirement).groups()
        try:
            version = metadata.version(name)
        except metadata.PackageNotFoundError:
            yield False, f"{name}: expected {bounds}, not installed. Run `python -m pip install .` in the clone"
            continue
        yield _within(version, bounds), f"{name} {version} (tested: {bounds})"


def _within(version: str, bounds: str) -> bool:
    compare = {">=": lambda a, b: a >= b, "<": lambda a, b: a < b}
    return all(
        compare[operator](_numbers(version), _numbers(bound))
        for operator, bound in re.findall(r"(>=|<)([\d.]+)", bounds)
    )


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version)[:3])


def _environment() -> Iterator[tuple[bool, str]]:
    legacy = os.environ.get("TF_USE_LEGACY_KERAS", "")
    yield legacy in ("", "0", "False"), f"TF_USE_LEGACY_KERAS={legacy!r} (must not be set: flowzoo needs Keras 3)"
    backend = os.environ.get("KERAS_BACKEND", "tensorflow")
    yield backend == "tensorflow", f"KERAS_BACKEND={backend!r} (must be tensorflow)"
    try:
        import_tensorflow()
        import tensorflow as tf
        import tensorflow_probability  # noqa: F401 - does it import beside this TensorFlow?
    except Exception as error:
        yield False, f"TensorFlow and TensorFlow Probability do not import: {error}"
        return
    gpus = tf.config.list_physical_devices("GPU")
    yield True, f"devices: {os.cpu_count()} CPU cores, {len(gpus)} GPUs"


def weights(names: list[str]) -> Iterator[tuple[bool, str]]:
    """For each preset whether its weight file is there and intact, and where."""
    from flowzoo.errors import CheckpointError
    from flowzoo.zoo import store
    from flowzoo.zoo.preset import Preset

    for name in names:
        preset = Preset.read(name)
        if not preset.trained:
            yield True, f"{preset.name}: {'recipe only' if preset.recipe_only else 'no weights published yet'}"
            continue
        if store.left_out(store.folder(name)):
            yield True, f"{preset.name}: not installed (slim)"
            continue
        try:
            yield True, f"{preset.name}: {store.checked_file(preset, store.folder(name))}"
        except CheckpointError as error:
            yield False, str(error)
