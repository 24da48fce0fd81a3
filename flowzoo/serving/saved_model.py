"""A flow as a SavedModel that plain TensorFlow runs, without Keras, TFP, flowzoo or XLA."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
import tempfile
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import tensorflow as tf

from flowzoo.core.space import ONE
from flowzoo.serving.signatures import Signatures
from flowzoo.serving.stored_weights import stored
from flowzoo.serving.warmup import can_warm_up, write_warmup

if TYPE_CHECKING:
    from flowzoo.models.flow import Flow

CARD, COLUMNS = "card.json", "columns.json"


def export(
    flow: Flow,
    path: str | os.PathLike,
    *,
    overwrite: bool = False,
    weights_dtype: str = "float32",
    check: bool = True,
    name: str | None = None,
    card: str | None = None,
) -> Path:
    """Writes a SavedModel, all or nothing.

    Its signatures take any batch size and have named inputs and outputs, all with the batch in front:

        log_prob:      x -> log_prob                       (also `serving_default`)
        bits_per_dim:  x -> bits_per_dim                   -log_prob / (D ln 2)
        sample:        seed, temperature -> x              one sample per row
        encode:        x -> z, log_det
        decode:        z -> x, log_det
        posterior:     x -> mean                           E[z | x]; for latent-variable models
        reconstruct:   x -> mean                           E[x | z] of a z given x; likewise
        serving_bytes: image_bytes -> log_prob, bits_per_dim   of PNG and JPEG files: `images.decode_images`;
                                                               for flows of gray or RGB pixels

    x is in native units, (batch, *event_shape) of `flow.data_dtype`; seed (batch, 2) int32; temperature (batch,)
    float32; log_prob and log_det (batch,) in nats; z (batch, *latent_shape). A conditional flow takes `condition`
    too: (batch,) int32 labels or (batch, features) float32; a condition per pixel, which the image
    conditioners also take, does not fit these signatures. Results are equal to those of the Python methods with
    `seed=0` to 1e-4 relative (absolute below 1); an integer pixel at the edge of its bin may differ by 1.

    The names of the columns that the flow was fitted on, if it knows any, are included as `assets/columns.json`.

    Args:
      flow: a `Flow`; its weights are stored as they are now.
      path: the folder to write; for TensorFlow Serving it ends in a version number, "models/glow/1".
      overwrite: replace an existing folder that is not empty.
      weights_dtype: "bfloat16" or "float16" stores weights of half the size; computation stays float32.
      check: the graph refuses a request with a bad row (shape, range, NaN, rows) by INVALID_ARGUMENT, which fails the
        whole batch. False lets bad rows pass, each giving NaN in its own row: for servers that merge the requests of
        callers who must not disturb each other.
      name: of the model on the server; with it, warm-up requests for it are written (the extra `serving`).
      card: text to go with the model, as `assets/card.json`.

    Returns:
      The path.

    Raises:
      FileExistsError: the folder is not empty and `overwrite` is False, or the path is a file.
      OSError: the folder can't be written, as on a full disk; nothing of it is left behind.
      ValueError: an unknown `weights_dtype`, or a weight that it can't hold; `name` without the extra `serving`.
    """
    path = Path(path)
    if path.exists() and not path.is_dir():
        raise FileExistsError(f"`path` must be a folder or new, got the file {path}.")
    if path.is_dir() and any(path.iterdir()) and not overwrite:
        raise FileExistsError(
            f"`path` must be a new or empty folder, got {path} with something in it. Use overwrite=True."
        )
    if name and not can_warm_up():
        raise ValueError("Warm-up requests need tensorflow-serving-api. Run `pip install flowzoo[serving]`.")
    made = [parent for parent in path.parents if not parent.exists()]
    path.parent.mkdir(parents=True, exist_ok=True)
    # Beside the target, so that renaming is atomic; not a number, which TensorFlow Serving would take for a version.
    written = path.parent / f".{path.name}.{uuid.uuid4().hex}"
    try:
        with tempfile.TemporaryDirectory() as folder:
            assets = {CARD: card, COLUMNS: _columns(flow)}
            _save(flow, written, weights_dtype, check, _assets(assets, folder))
        if name:
            write_warmup(written, name)
        _put_in_place(written, path)
    except BaseException as error:
        shutil.rmtree(written, ignore_errors=True)
        for parent in made:  # from the innermost
            with contextlib.suppress(OSError):
                parent.rmdir()
        if isinstance(error, tf.errors.ResourceExhaustedError) and "No space left" in str(error):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path)) from None
        raise
    return path


def _columns(flow):
    conditions = {ONE: flow.condition_columns} if flow.condition_columns else flow.intake.named_columns
    known = {"columns": flow.columns, "conditions": conditions}
    return json.dumps(known) if any(known.values()) else None


def _assets(texts, folder):
    found = []
    for name, text in texts.items():
        if text is not None:
            Path(folder, name).write_text(text)
            found.append(tf.saved_model.Asset(str(Path(folder, name))))
    return found


def _save(flow, path, weights_dtype, check, assets):
    module = tf.Module()
    module.weights, reading = stored(flow, weights_dtype)  # flat: Keras' own tree stores them twice
    module.assets = assets
    tf.saved_model.save(module, str(path), Signatures(flow, check, reading).concrete())


def _put_in_place(written, path):
    if path.is_dir() and any(path.iterdir()):
        old = written.with_name(f"{written.name}.old")
        path.rename(old)
        written.rename(path)
        shutil.rmtree(old)
    else:
        written.rename(path)  # takes the place of an empty folder
