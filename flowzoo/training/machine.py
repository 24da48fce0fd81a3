"""Facts about this machine and this code, for the record of a training."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

PACKAGES = ("tensorflow", "keras", "tensorflow-probability", "numpy")


def facts() -> dict[str, Any]:
    """command, versions, hardware and source_revision ("unknown" outside a git checkout)."""
    return {
        "command": command(sys.argv),
        "versions": versions(),
        "hardware": hardware(),
        "source_revision": source_revision(),
    }


def command(argv: list[str]) -> str:
    """A command line that started this; that of `flowzoo` without folders, which are this machine's.

    >>> command(["/home/me/bin/flowzoo", "train", "/home/me/mine.json", "--workdir=/home/me/run"])
    'flowzoo train mine.json --workdir=run'
    """
    path = Path(argv[0])
    if path.name != "flowzoo" and path.parts[-2:] != ("flowzoo", "__main__.py"):
        return shlex.join(["python", *argv])
    return shlex.join(["flowzoo", *(re.sub(r"[^=]*/(?=.)", "", argument) for argument in argv[1:])])


def peak_memory() -> dict[str, int]:
    """Most memory this process has held so far, in bytes: `memory`, and with a GPU `gpu_memory` of the fullest."""
    import tensorflow as tf  # imported here: `offload` does not need it

    gpus = [f"GPU:{i}" for i in range(len(tf.config.list_logical_devices("GPU")))]
    on_gpus = [tf.config.experimental.get_memory_info(gpu)["peak"] for gpu in gpus]
    return {"memory": peak_resident()} | ({"gpu_memory": max(on_gpus)} if on_gpus else {})


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that matter."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = "unknown"
    return found


def hardware() -> str:
    """Accelerators, CPU model and cores, such as "AMD EPYC, 2 cores"."""
    import tensorflow as tf

    devices = [tf.config.experimental.get_device_details(gpu) for gpu in tf.config.list_physical_devices("GPU")]
    names = [device.get("device_name", "GPU") for device in devices]
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return ", ".join([*names, _cpu(), f"{cores} cores"])


def source_revision() -> str:
    """The git commit of flowzoo's source, with "-dirty" if it was changed since."""
    try:
        revision = _git("rev-parse", "HEAD")
        return revision + ("-dirty" if _git("status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.SubprocessError):
        return "unknown"


def _git(*arguments: str) -> str:
    command = ["git", "-C", str(Path(__file__).parent), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=20).stdout.strip()


def peak_resident() -> int:
    """Most bytes of the host's memory that this process has held so far; 0 where the system doesn't count."""
    try:
        import resource
    except ImportError:  # no such count on this system
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    models = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor() or platform.machine()
