"""`Score`, `Encode` and `Sample`: good results, and bad records with the reason."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, ClassVar

import apache_beam as beam
import numpy as np
from apache_beam.utils import shared

from flowzoo.beam.records import Record
from flowzoo.core.checks import check_count, check_number
from flowzoo.core.space import of_size

BAD = {"id": "text", "reason": "text"}  # the columns of bad records, for `WriteRecords`


class _OverModel(beam.PTransform):
    """Records -> (results, bad records), by one signature of a SavedModel.

    Batches are padded to `batch_size` rows, so that a result depends neither on neighbours nor on how the runner cuts
    its bundles: a restart gives the same numbers. Every record comes out once, in one of the two.

    Args:
      model: the folder of a version, as `flowzoo export` writes it, where the workers can read it.
      batch_size: rows of a call.
    """

    COLUMNS: ClassVar[dict[str, str]] = {}

    def __init__(self, model: str, *, batch_size: int = 128):
        super().__init__()
        self._model, self._batch_size = str(model), check_count(batch_size, "batch_size")

    def expand(self, records: beam.PCollection) -> tuple[beam.PCollection, beam.PCollection]:
        """(results, bad records), the latter {"id", "reason"}."""
        size = self._batch_size
        checked = records | "check" >> beam.ParDo(_Check(self._model, self._rows())).with_outputs("bad", main="good")
        batches = checked.good | beam.BatchElements(min_batch_size=size, max_batch_size=size)
        compute = _Compute(self._model, self._rows(), size)
        done = batches | "compute" >> beam.ParDo(compute).with_outputs("bad", main="good")
        return done.good, (checked.bad, done.bad) | beam.Flatten()

    def _rows(self):
        raise NotImplementedError


class Score(_OverModel):
    """{"id", "x"} -> {"id", "log_prob", "bits_per_dim"}: nats, and -log_prob / (D ln 2).

    A conditional flow takes "condition", too, or its conditions under their own names.
    """

    COLUMNS: ClassVar = {"id": "text", "log_prob": "number", "bits_per_dim": "number"}

    def _rows(self):
        return _Likelihood("log_prob")


class Encode(_OverModel):
    """{"id", "x"} -> {"id", "z", "log_det"}: the latent, flattened, and nats.

    A conditional flow takes "condition", too, or its conditions under their own names.
    """

    COLUMNS: ClassVar = {"id": "text", "z": "numbers", "log_det": "number"}

    def _rows(self):
        return _Rows("encode")


class Sample(_OverModel):
    """Integers i, or {"id": i, "condition"} -> {"id": i, "x"}: row i of `Flow.sample` with the same seed, flattened.

    Args:
      model, batch_size: as for the others.
      seed: of all samples; sample i depends on it and i only, whatever else is drawn and wherever.
      temperature: of all samples.
    """

    COLUMNS: ClassVar = {"id": "integer", "x": "numbers"}

    def __init__(self, model: str, *, seed: int = 0, temperature: float = 1.0, batch_size: int = 128):
        super().__init__(model, batch_size=batch_size)
        self._draws = _Draws("sample", seed, check_number(temperature, "temperature", zero=True))

    def _rows(self):
        return self._draws


class _Rows:
    """How records become rows of a signature, and rows of its outputs become results."""

    def __init__(self, signature):
        self.signature = signature

    def row(self, record: Record, specs) -> dict[str, np.ndarray]:
        """Arrays by name of one record, or `ValueError` with the reason."""
        from flowzoo.serving.tensor_specs import fitting

        row = {}
        for name, spec in specs.items():
            if name not in record:
                fix = " (ReadRecords, ReadConditions and --condition name its columns)" * (name != "x")
                raise ValueError(f"expected `{name}`, got only {', '.join(sorted(record))}{fix}")
            array = np.asarray(record[name])
            if array.dtype.kind not in "fiu":
                raise ValueError(f"expected numbers in `{name}`, got {array.dtype}")
            shape = spec.shape[1:]
            if None not in shape or array.ndim == 1:  # a record of a table is flat
                whole = of_size(shape, array.size)
                if whole is None:
                    expected = f"{'a multiple of ' * (None in shape)}{math.prod(length or 1 for length in shape)}"
                    raise ValueError(f"expected {expected} numbers in `{name}`, got {array.size}")
                array = array.reshape(whole)
            with np.errstate(over="ignore"):  # what is too large becomes infinite
                row[name] = fitting(array[None], name, spec)[0]
            if not np.isfinite(row[name]).all():
                raise ValueError(f"expected finite numbers in `{name}`, got NaN or infinity")
        return row

    def inputs(self, ids: list, rows: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
        """The rows as a batch."""
        return {name: np.stack([row[name] for row in rows]) for name in rows[0]}

    def result(self, outputs: dict[str, np.ndarray], dims: int) -> dict[str, Any]:
        """What goes into the record of a result."""
        return {name: value.reshape(-1).tolist() if value.ndim else value.item() for name, value in outputs.items()}


class _Likelihood(_Rows):
    def result(self, outputs, dims):
        value = outputs["log_prob"].item()
        return {"log_prob": value, "bits_per_dim": -value / (dims * math.log(2.0))}


class _Draws(_Rows):
    def __init__(self, signature, seed, temperature):
        super().__init__(signature)
        self._seed, self._temperature = seed, temperature

    def row(self, record, specs):
        number = record["id"]
        if not isinstance(number, int) or not 0 <= number < 2**32:
            raise ValueError(f"expected an integer 0 ... 2^32 - 1 as id, got {number!r}")
        return super().row(record, {name: spec for name, spec in specs.items() if name not in ("seed", "temperature")})

    def inputs(self, ids, rows):
        from flowzoo.core.random import seeds_at

        temperatures = np.full(len(ids), self._temperature, np.float32)
        return {**super().inputs(ids, rows), "seed": seeds_at(self._seed, np.array(ids)), "temperature": temperatures}


class _Loaded(beam.DoFn):
    """Loads the SavedModel, once for all threads of a worker."""

    def __init__(self, model, rows):
        self._path, self._rows, self._shared = model, rows, shared.Shared()

    def setup(self):
        self._model = self._shared.acquire(lambda: _Model(self._path), tag=self._path)
        self._specs = self._model.specs[self._rows.signature]


class _Check(_Loaded):
    """Records -> (record id, row), or bad."""

    def process(self, record: Record | int) -> Iterator[Any]:
        record = record if isinstance(record, dict) else {"id": record}
        try:
            if "id" not in record or "reason" in record:
                raise ValueError(record.get("reason", "expected a record with an `id`, got none"))
            yield record["id"], self._rows.row(record, self._specs)
        except ValueError as error:
            yield _bad(record.get("id"), error)


class _Compute(_Loaded):
    """Batches of (id, row) -> results, or bad."""

    def __init__(self, model, rows, size):
        super().__init__(model, rows)
        self._size = size

    def process(self, batch: list[tuple[Any, dict[str, np.ndarray]]]) -> Iterator[Any]:
        import tensorflow as tf

        try:
            found = self._computed(batch)
        except tf.errors.InvalidArgumentError as error:  # because of some row, found by bisection
            if len(batch) == 1:
                yield _bad(batch[0][0], error)
            else:
                half = len(batch) // 2
                yield from self.process(batch[:half])
                yield from self.process(batch[half:])
            return
        for i, (name, _) in enumerate(batch):
            outputs = {key: value[i] for key, value in found.items()}
            if all(np.isfinite(value).all() for value in outputs.values()):
                yield {"id": name, **self._rows.result(outputs, self._model.dims)}
            else:
                yield _bad(name, f"{', '.join(outputs)} of this record is not finite")

    def _computed(self, batch):
        ids, rows = zip(*batch, *batch[:1] * (self._size - len(batch)), strict=True)
        return self._model.compute(self._rows.signature, self._rows.inputs(list(ids), list(rows)))


class _Model:
    """A SavedModel and what its signatures take."""

    def __init__(self, path):
        import tensorflow as tf

        from flowzoo.serving.graph import signature_specs
        from flowzoo.serving.tensor_specs import Spec

        self._loaded = tf.saved_model.load(path)
        self.specs = {name: Spec.of_each(inputs) for name, (inputs, _) in signature_specs(path).items()}
        self.dims = math.prod(self.specs["log_prob"]["x"].shape[1:])

    def compute(self, signature, inputs):
        import tensorflow as tf

        tensors = {name: tf.convert_to_tensor(value) for name, value in inputs.items()}
        return {name: value.numpy() for name, value in self._loaded.signatures[signature](**tensors).items()}


def _bad(name, reason):
    return beam.pvalue.TaggedOutput("bad", {"id": str(name), "reason": str(reason)})
