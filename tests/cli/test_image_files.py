"""Image files: what is taken and how, and what is refused by its header."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFile

from flowzoo.cli.reading import Form, read
from flowzoo.core.space import Space
from flowzoo.modalities.image_files import SUFFIXES

GRAY, COLOUR, DEEP = (
    Form(Space.integers((2, 3, 1), 2**8)),
    Form(Space.integers((2, 3, 3), 2**8)),
    Form(Space.integers((2, 3, 1), 2**10)),
)
PIXELS = np.arange(6, dtype=np.uint8).reshape(2, 3) * 40
COLOURS = np.arange(18, dtype=np.uint8).reshape(2, 3, 3) * 14


def save(name, array, mode=None, exif=(), **options):
    """An image file with these pixels."""
    image = Image.fromarray(array)
    tags = Image.Exif()
    tags.update(exif)
    (image.convert(mode) if mode else image).save(name, **options, **({"exif": tags.tobytes()} if exif else {}))
    return name


def png(width, height, depth, colour, row):
    """A PNG of equal rows, also of kinds that Pillow can't write."""
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)),
        (b"IDAT", zlib.compress((b"\0" + row) * height)),
        (b"IEND", b""),
    ]
    body = (struct.pack(">I", len(d)) + n + d + struct.pack(">I", zlib.crc32(n + d)) for n, d in chunks)
    return b"\x89PNG\r\n\x1a\n" + b"".join(body)


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".gif", ".tif", ".webp", ".pgm"])
def test_every_kind_of_file_gives_its_pixels(suffix):
    assert suffix in SUFFIXES
    save(f"x{suffix}", PIXELS, **({"lossless": True} if suffix == ".webp" else {}))
    found, _ = read([f"x{suffix}"], GRAY)
    np.testing.assert_array_equal(found[0, ..., 0], PIXELS)
    np.testing.assert_array_equal(read([f"x{suffix}"], COLOUR)[0], np.repeat(found, 3, axis=3))


def test_colours_and_palettes_become_what_the_flow_takes():
    save("x.png", COLOURS)
    np.testing.assert_array_equal(read(["x.png"], COLOUR)[0][0], COLOURS)
    np.testing.assert_array_equal(read(["x.png"], GRAY)[0][0, ..., 0], Image.fromarray(COLOURS).convert("L"))
    palette = Image.fromarray(COLOURS).quantize(4)
    palette.save("p.png")
    np.testing.assert_array_equal(read(["p.png"], COLOUR)[0][0], palette.convert("RGB"))
    Path("four.png").write_bytes(png(3, 2, 4, 0, b"\x08\xf0"))  # of 4 bits: 0 ... 15 of 15
    assert read(["four.png"], GRAY)[0].ravel().tolist() == [0, 136, 255] * 2


def test_16_bits_are_for_flows_of_more_than_8():
    deep = PIXELS.astype(np.uint16) * 256 + 192
    for name in ("x.png", "x.tif"):
        save(name, deep)
        np.testing.assert_array_equal(read([name], DEEP)[0][0, ..., 0], deep >> 6)
    with pytest.raises(ValueError, match=r"^8\.png: expected a gray image of 16 bits for a flow of 10, got L of 8\."):
        read([save("8.png", PIXELS)], DEEP)


TURNED = {  # what is to be done with the pixels in the file, by the tag
    1: lambda pixels: pixels,
    2: np.fliplr,
    3: lambda pixels: np.rot90(pixels, 2),
    4: np.flipud,
    5: np.transpose,
    6: lambda pixels: np.rot90(pixels, -1),
    7: lambda pixels: np.rot90(pixels, 2).T,
    8: np.rot90,
}


@pytest.mark.parametrize("orientation", TURNED)
@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif", ".webp"])
def test_images_are_turned_as_exif_says(suffix, orientation):
    name, quarter = save(f"x{suffix}", PIXELS, exif={0x0112: orientation}), orientation > 4
    if suffix == ".tif" and quarter:
        with pytest.raises(ValueError, match=r"^x\.tif: expected an upright TIFF"):
            read([name], GRAY)
        return
    stored, _ = read([save(f"stored{suffix}", PIXELS)], GRAY)
    turned = Form(Space.integers((3, 2, 1), 2**8))
    right, wrong = (turned, GRAY) if quarter else (GRAY, turned)
    np.testing.assert_array_equal(read([name], right)[0][0, ..., 0], TURNED[orientation](stored[0, ..., 0]))
    with pytest.raises(ValueError, match=r"examples must have shape"):  # also where the header alone would fit
        read([name], wrong)


@pytest.mark.parametrize("suffix", [".gif", ".tif", ".webp", ".png"])
def test_several_frames_or_pages_are_refused(suffix):
    save(f"x{suffix}", PIXELS, save_all=True, append_images=[Image.fromarray(PIXELS // 2)])
    with pytest.raises(ValueError, match=r"^x\..*: expected one image, got 2 frames or pages\. Save each as a file"):
        read([f"x{suffix}"], GRAY)


def refused():
    """(file, what makes it, what is said)."""
    clear = np.zeros((2, 3, 4), np.uint8)
    yield "rgb16.png", lambda name: Path(name).write_bytes(png(3, 2, 16, 2, bytes(18))), "of 8 bits per channel, got 16"
    yield "x.png", lambda name: save(name, PIXELS.astype(np.uint16)), "of 8 bits per channel, got 16"
    yield "x.tif", lambda name: save(name, PIXELS.astype(np.float32)), "of 8 bits per channel, got 32"
    yield "x.ppm", lambda name: Path(name).write_bytes(b"P6 3 2 65535\n" + bytes(36)), "of 8 bits per channel, got 16"
    yield "x.pgm", lambda name: Path(name).write_bytes(b"P5 3 2 1023\n" + bytes(12)), "of 8 bits per channel, got 16"
    yield "x.jpg", lambda name: save(name, COLOURS, "CMYK"), "expected gray, RGB or a palette, got CMYK"
    yield "lab.tif", lambda name: save(name, COLOURS, "LAB"), "expected gray, RGB or a palette, got LAB"
    yield "rgba.webp", lambda name: save(name, clear), "without transparency"
    yield "key.gif", lambda name: save(name, PIXELS, transparency=0), "without transparency"
    yield "size.png", lambda name: save(name, PIXELS[:1]), "must have shape (2, 3, 1), got an image 1 pixels high and 3"
    yield "x.jp2", lambda name: Path(name).write_bytes(b"\0\0\0\x0cjP  \r\n\x87\n"), "expected a .npy, .csv or .parquet"


@pytest.mark.parametrize(("name", "make", "message"), refused(), ids=[name for name, _, _ in refused()])
def test_what_would_be_lost_is_refused_before_a_pixel_is_decoded(name, make, message, monkeypatch):
    make(name)
    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda self: pytest.fail("decoded"))
    with pytest.raises(ValueError) as error:
        read([name], GRAY)
    assert str(error.value).startswith(f"{name}: ") and message in str(error.value)


def test_a_bomb_is_refused_by_its_header(monkeypatch):
    Path("bomb.png").write_bytes(png(12_000, 12_000, 1, 0, bytes(1500)))  # 144 million pixels in a few KB
    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda self: pytest.fail("decoded"))
    with pytest.raises(ValueError, match=r"^bomb\.png: examples must have shape .* 12000 pixels high and 12000 wide"):
        read(["bomb.png"], GRAY)


def test_hidden_files_of_a_folder_are_no_images():
    for folder in ("all/sub", "all/.cache", "all/__MACOSX"):
        Path(folder).mkdir(parents=True)
    save("all/sub/x.png", PIXELS)
    for stray in ("all/.DS_Store", "all/Thumbs.db", "all/._x.png", "all/__MACOSX/._x.png", "all/.cache/x.png"):
        Path(stray).write_bytes(b"stray")
    assert read(["all"], GRAY)[1].tolist() == ["all/sub/x.png"]
    Path("all/broken.png").write_bytes(b"broken")
    with pytest.raises(ValueError, match=r"^all/broken\.png: expected .* got something else"):
        read(["all"], GRAY)


def test_an_image_is_no_vector():
    with pytest.raises(
        ValueError, match=r"^x\.png: examples of shape \(2,\) are read from a \.npy, \.csv or \.parquet"
    ):
        read([save("x.png", PIXELS)], Form(Space((2,))))
