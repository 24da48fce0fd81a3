"""`flowzoo doctor`: what is installed, whether it was tested together, and whether the weights are intact."""

import argparse
import os
from collections.abc import Iterator

from flowzoo.cli.quiet import import_tensorflow
from flowzoo.cli.writing import add_json, print_json

NAME, HELP = "doctor", "Check the installation: versions, devices, weights; exit code 1 when one is off."
EXAMPLES = """
  flowzoo doctor
  flowzoo doctor --json
"""
TENSORFLOW = False


EXTRAS = {"fsspec": "hub", "pyarrow": "tables"}  # package -> what installs it


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add_json(parser, "the checks")


def run(args: argparse.Namespace) -> int:
    """Print one line for each check; 1 when one is off."""
    from flowzoo.hub.presets import list_presets

    checks = []
    for ok, line in _checks(list_presets()):
        checks.append({"ok": ok, "line": line})
        if not args.json:
            print(f"{'ok ' if ok else 'OFF'}  {line}", flush=True)
    off = sum(not check["ok"] for check in checks)
    if args.json:
        print_json({"ok": not off, "checks": checks})
    else:
        print(f"{off} off" if off else "all in order")
    return 1 if off else 0


def _checks(names: list[str]) -> Iterator[tuple[bool, str]]:
    import platform

    import flowzoo

    yield True, f"flowzoo {flowzoo.__version__}, Python {platform.python_version()}, {platform.platform()}"
    yield from _requirements()
    yield from _extras()
    yield from _environment()
    yield from places()
    yield from weights(names)
    yield from data_sets()


def _requirements() -> Iterator[tuple[bool, str]]:
    from importlib import metadata  # imported here: it takes a while

    from packaging.requirements import Requirement

    try:
        requirements = metadata.requires("flowzoo") or []
    except metadata.PackageNotFoundError:
        yield False, "flowzoo is not installed, only found: run `python -m pip install .` in the clone"
        return
    for requirement in map(Requirement, requirements):
        if requirement.marker and not requirement.marker.evaluate({"extra": ""}):
            continue
        name, bounds = requirement.name, requirement.specifier
        try:
            version = metadata.version(name)
        except metadata.PackageNotFoundError:
            yield False, f"{name}: expected {bounds}, not installed. Run `python -m pip install .` in the clone"
            continue
        yield bounds.contains(version, prereleases=True), f"{name} {version} (tested: {bounds})"


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
    kinds = [tf.config.experimental.get_device_details(gpu).get("device_name", "GPU") for gpu in gpus]
    yield True, f"devices: {os.cpu_count()} CPU cores, {len(gpus)} GPUs{''.join(f', {kind}' for kind in kinds)}"


def _extras() -> Iterator[tuple[bool, str]]:
    from importlib import metadata

    for package, extra in EXTRAS.items():
        try:
            yield True, f"{package} {metadata.version(package)} (optional)"
        except metadata.PackageNotFoundError:
            yield True, f"{package}: not installed (optional; `pip install flowzoo[{extra}]`)"


def places() -> Iterator[tuple[bool, str]]:
    """Where files of presets are looked for, in order, and whether they can be kept."""
    from flowzoo.core.files import unwritable
    from flowzoo.hub import cache, mirrors, store, streams

    files = cache.entries()
    size = sum(path.stat().st_size for path in files)
    why = "$FLOWZOO_HOME" if os.environ.get("FLOWZOO_HOME") else "set $FLOWZOO_HOME for another"
    home = cache.home().absolute()
    fine = not unwritable(home)
    try:
        hubs, wrong = mirrors.hubs(), ""
    except ValueError as error:
        hubs, wrong = (), f"$FLOWZOO_HUB: {error}"
    kept = f"{len(files)} files, {size:,} bytes" + ("" if fine else ", not writable: name another")
    yield fine or not hubs, f"files, 1st: cache {home} ({why}): {kept}"
    yield True, f"files, 2nd: {store.folder('NAME').parent}"
    whence = "" if "FLOWZOO_HUB" in os.environ else " (named by this release; $FLOWZOO_HUB names others)"
    named = f"{mirrors.shown(' '.join(hubs))}{whence}" if hubs else "none ($FLOWZOO_HUB names them)"
    barred = " (FLOWZOO_OFFLINE: only file:// serves)" if streams.offline() else ""
    yield not wrong, f"files, 3rd: hubs: {wrong or named}{barred}"


def data_sets() -> Iterator[tuple[bool, str]]:
    """Which data sets are prepared; `evaluate`, `verify` and `train` need them."""
    from flowzoo.data import arrays, specs

    for name in specs.names():
        facts, folder = specs.spec(name), arrays.place(name)
        absent = f"not prepared: python tools/fetch_data.py --dataset={name}"
        state = "drawn" if facts.drawn else "packaged" if facts.packaged else absent
        if not facts.ready and arrays.prepared(folder):
            state = str(folder)
        yield True, f"data set {name}: {state}"


def weights(names: list[str]) -> Iterator[tuple[bool, str]]:
    """For each preset whether its weight file is there and intact, and where."""
    from flowzoo.hub import store
    from flowzoo.hub.presets import read_preset

    for name in names:
        try:
            preset = read_preset(name)
            if not preset.trained:
                state = "recipe only" if preset.recipe_only else "no weights published yet"
            elif store.left_out(store.folder(name)):
                state = "not installed (slim)"
            else:
                state = str(store.checked_file(preset, store.folder(name)))
        except ValueError as error:  # of the record, the file or $FLOWZOO_HUB
            yield False, str(error)
        else:
            yield True, f"{preset.name}: {state}"
