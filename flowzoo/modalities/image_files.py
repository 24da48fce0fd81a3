"""Image files as native pixels: the header is checked before a pixel is decoded, and nothing is lost silently."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from PIL import Image

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".ppm", ".pgm")  # looked for in folders
KNOWN = "a .npy, .csv or .parquet file, an image such as PNG, or a folder of images"
FORMATS = ("PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP", "PPM")  # Pillow's decoders that are used
GRAY, COLOURS = ("1", "L"), ("P", "RGB")
DEEP = ("I", "I;16", "I;16B", "I;16L", "I;16N")  # gray of more than 8 bits
BITS_PER_SAMPLE, ORIENTATION = 258, 274  # tags of TIFF


def read_image(path: Path, shape: tuple[int, int, int], bits: int) -> np.ndarray:
    """The pixels of one image.

    It is rotated by its EXIF orientation. Palettes become colours, gray becomes equal RGB, and RGB becomes gray by the
    weights of ITU-R 601, if the shape has another number of channels. If `bits` is below 8 the lowest bits are dropped;
    gray of 16 bits is accepted for `bits` 9 to 16 in the same way. Colour profiles are not applied.

    Args:
        path: a PNG, JPEG, BMP, GIF, TIFF, WebP, PPM or PGM file.
        shape: (height, width, 1 or 3) that it must have.
        bits: of a pixel; 0 for 8.

    Returns:
        (1, *shape) of integers.

    Raises:
        ValueError: another size, depth or colour space, transparency, several frames or pages, or a broken file.
        OSError: it can't be read.
    """
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about defects that it can read past
            with Image.open(path, formats=FORMATS) as image:
                wrong = _wrong(image, shape, bits)
                if not wrong:
                    image.load()
                    turned = ImageOps.exif_transpose(image)
                    wrong = _wrong_size(turned.size, [shape[:2]], shape)
    except UnidentifiedImageError as error:
        raise ValueError(f"{path}: expected {KNOWN}, got something else.") from error
    except Exception as error:  # each format raises its own, and images that would fill the memory another
        if isinstance(error, OSError) and error.filename:
            raise
        raise ValueError(f"{path}: expected a readable image, got: {error}.") from error
    if wrong:
        raise ValueError(f"{path}: {wrong}")
    return _pixels(turned, shape, bits)


def _wrong(image: Image.Image, shape: tuple[int, int, int], bits: int) -> str:
    """What is wrong with an image, by its header; "" if nothing."""
    if wrong := _wrong_size(image.size, [shape[:2], shape[1::-1]], shape):  # perhaps rotated: EXIF may come last
        return wrong
    if getattr(image, "is_animated", False):
        return f"expected one image, got {image.n_frames} frames or pages. Save each as a file."
    if image.format == "TIFF" and image.tag_v2.get(ORIENTATION, 1) > 4:  # Pillow mixes their pixels up
        return "expected an upright TIFF, got one to be rotated by 90 degrees. Save it rotated."
    if image.mode.endswith(("A", "a")) or "transparency" in image.info:
        return "expected an image without transparency, got one with. Save it without."
    depth = _depth(image)
    if bits <= 8 and depth > 8:
        return f"expected an image of 8 bits per channel, got {depth}. Save it with 8 bits."
    if bits > 8 and not (depth == 16 and image.mode in DEEP):
        return f"expected a gray image of 16 bits for a flow of {bits}, got {image.mode} of {depth}. Pass a .npy array."
    if image.mode not in (*GRAY, *COLOURS, *DEEP):
        return f"expected gray, RGB or a palette, got {image.mode}. Convert it to RGB."
    return ""


def _wrong_size(size: tuple[int, int], sizes: list[tuple[int, int]], shape: tuple[int, int, int]) -> str:
    width, height = size
    wanted = f"examples must have shape {shape}, got an image {height} pixels high and {width} wide. Resize or crop it."
    return "" if (height, width) in sizes else wanted


def _depth(image: Image.Image) -> int:
    """Bits of a channel in the file: Pillow cuts colours of 16 to 8."""
    if image.mode.startswith("F"):
        return 32
    if image.format == "TIFF":
        return max(image.tag_v2.get(BITS_PER_SAMPLE, (1,)))
    if image.mode.startswith("I"):
        return 16
    how = image.tile[0].args if image.tile else ""  # what the decoder knows of the pixels in the file
    if image.format == "PPM":
        return 16 if isinstance(how, tuple) and how[-1] > 255 else 8
    return 16 if image.format == "PNG" and ";16" in str(how) else 8


def _pixels(image: Image.Image, shape: tuple[int, int, int], bits: int) -> np.ndarray:
    if image.mode in DEEP:
        return np.repeat(np.asarray(image, np.int32)[None, ..., None] >> (16 - bits), shape[2], axis=3)
    array = np.asarray(image.convert("L" if shape[2] == 1 else "RGB")).reshape(1, *shape)
    return array >> (8 - bits) if bits else array
