"""Arguments and input that several subcommands share."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

    from flowzoo.flows import Flow


def add_preset(parser: argparse.ArgumentParser) -> None:
    """The first argument of most subcommands."""
    parser.add_argument("preset", metavar="NAME", help="a preset of `flowzoo list`, or the path of a preset's .json")


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
        (n, *flow.event_shape) of `flow.input_dtype`.

    Raises:
        ValueError: a file is no array or picture, or its shape or type is not the flow's.
    """
    import numpy as np

    return np.concatenate([_read(Path(path), flow) for path in paths])


def _read(path: Path, flow: "Flow") -> "np.ndarray":
    import numpy as np
    from PIL import Image, UnidentifiedImageError

    shape = tuple(flow.event_shape)
    if path.suffix == ".npy":
        try:
            array = np.load(path, allow_pickle=False)
        except (ValueError, EOFError) as error:
            raise ValueError(f"{path}: expected an array written by numpy.save, got: {error}.") from error
    else:
        try:
            with Image.open(path) as picture:
                array = np.asarray(picture.convert("L" if shape[-1] == 1 else "RGB")).reshape(
                    1, *picture.size[::-1], -1
                )
        except UnidentifiedImageError as error:
            raise ValueError(f"{path}: expected a .npy file or a picture such as PNG.") from error
    if array.shape == shape:
        array = array[None]
    if array.shape[1:] != shape:
        raise ValueError(f"{path}: examples must have shape {shape}, got an array of shape {array.shape}.")
    if np.issubdtype(array.dtype, np.integer) != np.issubdtype(np.dtype(flow.input_dtype), np.integer):
        raise ValueError(f"{path}: examples must be {flow.input_dtype}, got {array.dtype}. Save them in native units.")
    if array.dtype.kind in "iu" and array.size and (array.min() < 0 or array.max() > np.iinfo(flow.input_dtype).max):
        raise ValueError(f"{path}: values must fit {flow.input_dtype}, got {array.min()} to {array.max()}.")
    return array.astype(flow.input_dtype)
