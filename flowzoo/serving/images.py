"""Encoded images to native pixels, inside a graph."""

from __future__ import annotations

import tensorflow as tf

from flowzoo.core.space import Space
from flowzoo.serving.assertions import LARGEST, require

PNG, JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"
HEAD = 25  # bytes of a PNG up to its bit depth
EXIF_END = 2**17  # an EXIF segment stands at the front and has at most 2^16 bytes
EXIF = (  # its first entry of the tag 0x0112, a short of 1 ... 8, in one byte order or the other
    r"\C*?(?:Exif\x00\x00|eXIf)"
    r"(?:II\C*?\x12\x01\x03\x00\x01\x00\x00\x00|MM\C*?\x01\x12\x00\x03\x00\x00\x00\x01\x00)([\x01-\x08])\C*"
)
ANIMATED = r"\C*\x00\x00\x00\x08acTL\C*"
TRANSPARENT = r"\C*\x00\x00[\x00\x01]\CtRNS\C*"
PLAIN = "gray or RGB without transparency"
WHOLE = "expected_a_whole_PNG_or_JPEG_file"  # a decoder refuses in its own words, and with the name of its node


def decode_images(encoded: tf.Tensor, space: Space, most: int | None = None) -> tf.Tensor:
    """PNG and JPEG files to native pixels.

    An image is rotated as its EXIF orientation says. One of another size is cropped to its largest centred part of the
    right proportions, then resized (bilinear, widened for antialiasing, rounded). Colours become gray by the weights of
    ITU-R 601, as in Pillow; the lowest of 8 bits are dropped for a model of fewer. With INVALID_ARGUMENT, before any
    image is decoded, the graph refuses what is not PNG or JPEG, or is truncated, deeper than 8 bits, transparent, CMYK,
    animated, or larger than 2^24 pixels.

    Args:
      encoded: (batch,) strings.
      space: of images, as `Modality.in_bytes` says.
      most: pixels of all images together; None for no limit beyond that of each.

    Returns:
      (batch, *space.shape) uint8.
    """
    event_shape, dropped = space.shape, (256 // space.values).bit_length() - 1

    def one(image):
        pixels = _resized(_turned(_decoded(image, event_shape[2]), _orientation(image)), event_shape)
        return tf.bitwise.right_shift(pixels, tf.constant(dropped, tf.uint8))

    total = tf.reduce_sum(tf.map_fn(_pixels, encoded, fn_output_signature=tf.TensorSpec([], tf.int64)))
    expected = f"images of at most {most} pixels in one request"
    with tf.control_dependencies([total]):
        encoded = tf.identity(encoded) if most is None else require(encoded, total <= most, expected, "{}", total)
    return tf.map_fn(one, encoded, fn_output_signature=tf.TensorSpec(event_shape, tf.uint8))


def _pixels(image):
    """How many pixels an image has by its header, once it is known to be one that is accepted."""
    size = tf.strings.length(image)
    head = tf.strings.substr(tf.strings.join([image, tf.constant(bytes(HEAD))]), 0, HEAD)
    is_png = _is_png(image)
    is_jpeg = tf.equal(tf.strings.substr(head, 0, len(JPEG)), JPEG)
    image = require(image, is_png | is_jpeg, "a PNG or JPEG file", "something else of {} bytes", size)
    numbers = tf.cast(tf.io.decode_raw(head, tf.uint8), tf.int64)
    whole = tf.cond(is_png, lambda: tf.strings.regex_full_match(image, r"\C*IEND\C*"), lambda: _ends(image))
    image = require(image, whole, "a whole PNG or JPEG file", "a truncated one of {} bytes", size)
    depth = tf.where(is_png, numbers[24], 8)
    image = require(image, depth <= 8, "an image of 8 bits per channel", "{}", depth)
    before = tf.strings.regex_replace(image, r"IDAT\C*", "")  # the chunks of a PNG before its pixels
    moves = is_png & tf.strings.regex_full_match(before, ANIMATED)
    image = require(image, ~moves, "one image", "an animated PNG of {} bytes", size)
    clear = is_png & tf.strings.regex_full_match(before, TRANSPARENT)  # which decode_png drops from gray
    image = require(image, ~clear, PLAIN, "a transparent PNG of {} bytes", size)
    height, width, found = tf.unstack(tf.cond(is_png, lambda: _png_shape(numbers), lambda: _jpeg_shape(image)))
    image = require(image, found <= 3, PLAIN, "{} channels", found)  # CMYK, too, has 4
    fits = (height > 0) & (width > 0) & (height <= LARGEST) & (width <= LARGEST)
    fits &= height * width <= LARGEST
    with tf.control_dependencies([image]):
        return require(height * width, fits, f"an image of 1 ... {LARGEST} pixels", "{} x {}", height, width)


def _is_png(image):
    return tf.equal(tf.strings.substr(image, 0, len(PNG)), PNG)


def _decoded(image, channels):
    pixels = tf.cond(
        _is_png(image),
        lambda: tf.io.decode_png(image, name=WHOLE),
        lambda: tf.io.decode_jpeg(image, dct_method="INTEGER_ACCURATE", name=WHOLE),
    )
    found = tf.shape(pixels)[2]
    pixels = require(pixels, tf.equal(found, 1) | tf.equal(found, 3), PLAIN, "{} channels", found)
    if channels == 3:
        return tf.tile(pixels, [1, 1, 3 // found])
    return tf.cond(tf.equal(found, 1), lambda: pixels, lambda: _gray(pixels))


def _orientation(image):
    """EXIF's, 1 ... 8; 1, which is upright, if there is none."""
    head = tf.strings.substr(image, 0, tf.minimum(tf.strings.length(image), EXIF_END))
    found = tf.where(tf.strings.regex_full_match(head, EXIF), tf.strings.regex_replace(head, EXIF, r"\1"), "\1")
    return tf.cast(tf.io.decode_raw(found, tf.uint8)[0], tf.int32)


def _turned(pixels, orientation):
    def turn():
        turned = tf.cond(orientation > 4, lambda: tf.transpose(pixels, [1, 0, 2]), lambda: pixels)
        turned = tf.cond(_among(orientation, 3, 4, 7, 8), lambda: tf.reverse(turned, [0]), lambda: turned)
        return tf.cond(_among(orientation, 2, 3, 6, 7), lambda: tf.reverse(turned, [1]), lambda: turned)

    return tf.cond(orientation > 1, turn, lambda: pixels)


def _among(number, *numbers):
    return tf.reduce_any(tf.equal(number, numbers))


def _ends(jpeg):
    numbers = tf.io.decode_raw(jpeg, tf.uint8)
    return tf.reduce_any(tf.equal(numbers[:-1], 0xFF) & tf.equal(numbers[1:], 0xD9))


def _png_shape(numbers):
    sizes = tf.linalg.matvec(tf.reshape(numbers[16:24], [2, 4]), tf.constant([2**24, 2**16, 2**8, 1], tf.int64))
    return tf.concat([sizes[::-1], [1]], 0)  # its channels are counted where it is decoded: a palette may have alpha


def _jpeg_shape(image):
    return tf.cast(tf.image.extract_jpeg_shape(image, name=WHOLE), tf.int64)


def _gray(pixels):
    weighted = tf.cast(pixels, tf.int32) * tf.constant([19595, 38470, 7471])
    return tf.cast(tf.bitwise.right_shift(tf.reduce_sum(weighted, axis=2, keepdims=True) + 2**15, 16), tf.uint8)


def _resized(pixels, event_shape):
    wanted = tf.constant(event_shape[:2])
    found = tf.shape(pixels)[:2]

    def resize():
        # the largest centred part with wanted[0] : wanted[1]
        scale = tf.reduce_min(tf.cast(found, tf.float64) / tf.cast(wanted, tf.float64))
        part = tf.cast(tf.round(tf.cast(wanted, tf.float64) * scale), tf.int32)
        part = tf.clip_by_value(part, 1, found)
        corner = (found - part) // 2
        cut = tf.slice(pixels, [corner[0], corner[1], 0], [part[0], part[1], event_shape[2]])
        values = tf.image.resize(cut, event_shape[:2], antialias=True)
        return tf.cast(tf.clip_by_value(tf.round(values), 0.0, 255.0), tf.uint8)

    return tf.ensure_shape(tf.cond(tf.reduce_all(tf.equal(found, wanted)), lambda: pixels, resize), event_shape)
