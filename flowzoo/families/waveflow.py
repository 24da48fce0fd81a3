"""WaveFlow: waveforms folded into rows, each given those above it, with samples in as many steps as there are rows."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import keras

from flowzoo.bijectors import ActNorm, Affine, AutoregressiveRows, Fold, Invert, ReverseRows
from flowzoo.conditioners import RowWaveNet
from flowzoo.core.checks import check_count
from flowzoo.core.space import Space
from flowzoo.core.transform import Transform
from flowzoo.families import recurring
from flowzoo.families.family import Family
from flowzoo.families.options import Options, option, shape
from flowzoo.families.values import WIDTH, Count
from flowzoo.modalities.registry import modality_of
from flowzoo.surjections import AudioDequantization

RATES = 10**6
LOG_SCALES = 5.0  # bound of a step: silence is a thousandth of speech, too far for the usual one


@dataclasses.dataclass(frozen=True)
class WaveFlowOptions(Options):
    """The options of `WaveFlow`."""

    event_shape: Sequence[int] = shape((1024,), "(samples,), divisible by `height`.", grows="")
    bits: int = recurring.bits(16, "x holds integers -2^(bits - 1) ... 2^(bits - 1) - 1; 0 for continuous waveforms.")
    rate: int = option(
        8000, Count(1, RATES), "samples per second, which files state.", aka="sample_rate sampling_rate sr"
    )
    height: int = option(
        8, Count(1, WIDTH), "rows into which a waveform is folded; samples take one step per row.", aka="n_group h"
    )
    depth: int = recurring.depth(8, "flows, with the rows reversed between them.")
    hidden: int = recurring.hidden(64, "channels of the networks.")
    blocks: int = recurring.blocks(8, "dilated convolutions of each network.")

    def build(self) -> list[Transform]:
        samples = (self.features(),)
        parts: list[Transform] = []
        if self.bits:
            parts.append(AudioDequantization(samples, self.rate, self.bits))
        fold = Fold(samples, self.height, dtype=self.dtype)
        parts += [fold, ActNorm(fold.latent_shape, dtype=self.dtype)]
        typical = [modality_of(space).typical for space in self._each_feature()]
        for i in range(self.depth):
            network = RowWaveNet(
                fold.latent_shape,
                Affine.outputs_per_entry,
                self.hidden,
                self.blocks,
                self.condition_size,
                typical=typical,
                seed=self.seed + i,
                dtype=self.dtype,
            )
            parts.append(AutoregressiveRows(network, Affine(LOG_SCALES), dtype=self.dtype))
            parts.append(ReverseRows(fold.latent_shape, dtype=self.dtype))
        return [*parts, Invert(Fold(samples, self.height, dtype=self.dtype))]

    def _each_feature(self) -> list[Space]:
        """The space of each number that the networks get of the condition."""
        return [space for space in self.conditions.spaces.values() for _ in range(space.features)]

    def describe(self) -> str:
        return (
            f"WaveFlow: a waveform folded into {self.height} rows, neighbours in a column, and {self.depth} affine "
            f"flows of each row given those above it, by WaveNets of {self.blocks} dilated convolutions and "
            f"{self.hidden} channels; the rows are reversed between flows. Densities take one pass, samples "
            f"{self.height} steps per flow, whatever their length."
        )


@keras.saving.register_keras_serializable(package="flowzoo")
class WaveFlow(Family):
    """Affine flows by rows of a folded waveform: densities take one pass, samples one step per row.

    Waveforms have a fixed number of samples, on which the weights do not depend: `of_length` gives the same flow for
    another number.

    Reference: Ping et al. 2020, WaveFlow: a compact flow-based model for raw audio, arXiv:1912.01219.
    """

    Options = WaveFlowOptions

    def of_length(self, samples: int) -> WaveFlow:
        """A flow with a copy of these weights for waveforms of another length, and sequences in proportion to it.

        Args:
          samples: divisible by `height`; if a condition is a sequence of a stated length, a whole number of its frames.

        Raises:
          ValueError: the length does not fit, or `standardize` or `bounds` give each sample numbers of its own.
        """
        samples, (own,), config = check_count(samples, "samples"), self.event_shape, self.get_config()
        if config["standardize"] or config["bounds"] is not None:
            raise ValueError("`standardize` and `bounds` must be left out for another length: they are per sample.")

        def lengthened(space):
            shape = space.shape
            if space.places and shape[0]:
                if samples * shape[0] % own:
                    raise ValueError(f"`samples` must be a multiple of {own // shape[0]}, one frame, got {samples}.")
                shape = (samples * shape[0] // own, *shape[1:])
            return dataclasses.replace(space, shape=shape)

        spaces = {name: lengthened(space) for name, space in self.condition.spaces.items()}
        if config["condition"] is not None:
            config["condition"] = self.condition.whole(spaces)
        flow = type(self).from_config(config | {"event_shape": [samples]})
        for weight, known in zip(flow.weights, self.weights, strict=True):
            weight.assign(known)
        return flow
