"""Results as images, arrays, tables or JSON; every file all or nothing."""

from __future__ import annotations

import argparse
import json
import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    from flowzoo.models.flow import Flow

ARRAYS = (".npy", ".csv", ".parquet")
ROWS = "a .npy file of the array, or a .csv or .parquet table of an example in each row, flattened"


def add_out(parser: argparse.ArgumentParser, default: str | None, suffixes: tuple[str, ...], what: str) -> None:
    """--out, which `check_out` looks at before anything is computed."""
    shown = f" ({default})" if default else ""
    parser.add_argument("--out", default=default, metavar="FILE", help=f"{what}{shown}")
    parser.set_defaults(suffixes=suffixes)


def add_json(parser: argparse.ArgumentParser, what: str) -> None:
    """--json."""
    parser.add_argument("--json", action="store_true", help=f"print {what} as JSON")


def check_out(out: str | None, suffixes: tuple[str, ...], inputs: Sequence[str] = (), option: str = "--out") -> None:
    """Refuses early what could not be written at the end, or would replace what is read; None is nothing to write.

    Args:
        out: the file.
        suffixes: of which it must have one.
        inputs: files and folders that are read.
        option: by which it was given.

    Raises:
        ValueError: another suffix, a folder, a device or pipe, an input, a place where nothing can be made, or Parquet
            without pyarrow.
    """
    if out is None:
        return
    from flowzoo.core.files import irregular, unwritable

    path = Path(out)
    if path.suffix not in suffixes:
        raise ValueError(f"{option} must end in {_ends(suffixes)}, got {out!r}.")
    if wrong := irregular(path):
        raise ValueError(f"{option} must be a file, got {out!r}, which {wrong}. Name another.")
    for source in inputs:
        if _is_read(path, source):
            raise ValueError(f"{option} must not replace an input, got {out!r}, which {source!r} reads. Name another.")
    if wrong := unwritable(path.parent):
        raise ValueError(f"{option} {out!r} {wrong}.")
    if path.suffix == ".parquet":
        from flowzoo.cli.tables import require_pyarrow

        require_pyarrow(path)


def check_drawn(out: str, flow: Flow) -> None:
    """Refuses an image of what is not an image, and a sound of what is not audio, before it is computed."""
    from flowzoo.modalities.registry import modality_of

    written = modality_of(flow.x_space).written
    known = (written, *ARRAYS) if written else ARRAYS
    if Path(out).suffix not in known:
        shape = tuple(flow.event_shape)
        raise ValueError(f"--out must end in {_ends(known)} for examples of shape {shape}, got {out!r}.")


def write_rows(out: str, values: np.ndarray, prefix: str, before: dict[str, np.ndarray] | None = None) -> None:
    """Writes (n, ...) as `.npy`, or flattened as a table with columns `before`, then prefix0, prefix1, ..."""
    flat = values.reshape(len(values), -1)
    write_columns(out, values, (before or {}) | {f"{prefix}{i}": column for i, column in enumerate(flat.T)})


def write_columns(out: str, values: np.ndarray, columns: dict[str, np.ndarray]) -> None:
    """Writes an array as `.npy`, or `columns`, which hold the same and more, as a table."""
    if out.endswith(".npy"):
        from flowzoo.core.files import write_array

        write_array(out, values)
        return
    from flowzoo.cli.tables import write_table

    write_table(Path(out), columns)


def write_data(
    out: str,
    flow: Flow,
    values: np.ndarray,
    images_in_a_row: int | None = None,
    before: dict[str, np.ndarray] | None = None,
) -> None:
    """Writes examples in native units, (n, *event_shape): as an image or a sound if `out` says so, else as rows."""
    if out.endswith(ARRAYS):
        write_rows(out, values, "x", before)
        return
    from flowzoo.modalities.registry import modality_of

    modality_of(flow.x_space).write(out, values, flow.x_space, images_in_a_row)


def print_json(value: Any) -> None:
    """Prints JSON that any program reads: what is not finite is null."""
    print(json.dumps(_finite(value), indent=2))


def report(args: argparse.Namespace, line: str, bad: Sequence[int] = (), **facts: Any) -> None:
    """Prints what was done: in a line, with one of `bad` rows if there are any; or as JSON if --json asks for it."""
    if args.json:
        print_json(facts)
    else:
        print(line)
        if len(bad):
            print(f"{len(bad)} of them hold NaN or infinity, first index {bad[0]}")


def _is_read(out: Path, source: str) -> bool:
    """Whether a file to be written is there and is an input, or one of a folder, by whatever links."""
    if not out.exists() or not os.path.exists(source):
        return False
    if not os.path.isdir(source):
        return out.samefile(source)
    from flowzoo.modalities.registry import files_in

    return any(out.samefile(file) for file in files_in(source))


def _ends(suffixes: tuple[str, ...]) -> str:
    return " or ".join(", ".join(suffixes).rsplit(", ", 1))


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
