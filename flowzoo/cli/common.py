"""Arguments and input that several subcommands share."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

    from flowzoo.flows import Flow


def add_preset(parser: argparse.ArgumentParser) -> None:
    """The first argument of most subcommands."""
    parser.add_argument("preset", metavar="NAME", help="a preset of `flowzoo list`, or its NAME@REVISION, or a .json")


def add_label(parser: argparse.ArgumentParser) -> None:
    """The class, for presets that take one."""
    parser.add_argument("--label", type=int, metavar="CLASS", help="the class, for a class-conditional preset")


def labels(label: int | None, count: int) -> "np.ndarray | None":
    """The condition of `count` examples of one class: (count,) int32, or None without a label."""
    import numpy as np

    return None if label is None else np.full(count, label, np.int32)


def positive(text: str) -> int:
    """The type of an argument that counts something."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number of at least 1, got {text}")
    return value


def read_examples(paths: list[str], flow: "Flow") -> "np.ndarray":
    """Examples from `.npy` files and pictures, as one array of the flow's shape and dtype.

    Args:
        paths: `.npy` files of (n, *event_shape) or of one example, and picture files of one example each.
        flow: the flow that will take them.

    Returns:
        (n, *flow.event_shape) of `flow.data_dtype`.

    Raises:
        ValueError: a file is no array or picture, or its shape or type is not the flow's.
    """
    import numpy as np

    return np.concatenate([_read(Path(path), flow) for path in paths])


def _read(path: Path, flow: "Flow") -> "np.ndarray":
    import numpy as np

    shape = tuple(flow.event_shape)
    array = _read_array(path) if path.suffix == ".npy" else _read_picture(path, "L" if shape[-1] == 1 else "RGB")
    if array.shape == shape:
        array = array[None]
    if array.shape[1:] != shape:
        raise ValueError(f"{path}: examples must have shape {shape}, got an array of shape {array.shape}.")
    if not len(array):
        raise ValueError(f"{path}: expected at least one example, got an array of shape {array.shape}.")
    if np.issubdtype(array.dtype, np.integer) != np.issubdtype(np.dtype(flow.data_dtype), np.integer):
        raise ValueError(f"{path}: examples must be {flow.data_dtype}, got {array.dtype}. Save them in native units.")
    if array.dtype.kind in "iu" and (array.min() < 0 or array.max() > np.iinfo(flow.data_dtype).max):
        raise ValueError(f"{path}: values must fit {flow.data_dtype}, got {array.min()} to {array.max()}.")
    return array.astype(flow.data_dtype)


def _read_array(path: Path) -> "np.ndarray":
    import zipfile

    import numpy as np

    try:
        array = np.load(path, allow_pickle=False)
    except (ValueError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path}: expected an array written by numpy.save, got: {error}.") from error
    if not isinstance(array, np.ndarray):
        array.close()
        raise ValueError(f"{path}: expected an array written by numpy.save, got an .npz archive. Save the array alone.")
    return array


def _read_picture(path: Path, mode: str) -> "np.ndarray":
    import numpy as np
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as picture:
            if picture.mode.startswith(("I", "F")) or _png_depth(path) > 8:
                raise ValueError(f"{path}: expected a picture of 8 bits per channel, got more. Save it with 8 bits.")
            if picture.mode.endswith(("A", "a")) or "transparency" in picture.info:
                raise ValueError(f"{path}: expected a picture without transparency, got one with. Save it without.")
            return np.asarray(picture.convert(mode)).reshape(1, *picture.size[::-1], -1)
    except UnidentifiedImageError as error:
        raise ValueError(f"{path}: expected a .npy file or a picture such as PNG.") from error


def _png_depth(path: Path) -> int:  # Pillow cuts colours of 16 bits to 8 without a word
    with open(path, "rb") as file:
        head = file.read(25)
    return head[24] if head.startswith(b"\x89PNG") and len(head) == 25 else 8
