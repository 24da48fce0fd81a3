"""A preset as a ready flow."""

from pathlib import Path
from typing import TYPE_CHECKING

from flowzoo.core.errors import CheckpointError
from flowzoo.core.layout import Layout, file_layout, fingerprint
from flowzoo.families.options import Options
from flowzoo.hub import store
from flowzoo.hub.presets import read_preset
from flowzoo.models import forked
from flowzoo.models.weights import load_weights
from flowzoo.record.preset import Preset
from flowzoo.training.model import build, options

if TYPE_CHECKING:
    from flowzoo.models.flow import Flow


def load(name: str | Path, weights: bool = True, *, conditioner_dtype: str | None = None) -> "Flow":
    """Build the flow of a preset and, unless `weights=False`, give it the trained weights.

    Size and sha256 of the file are checked before it is opened, shapes before any weight is set, parameter count and
    fingerprint before the flow is returned. The weights are installed with flowzoo; only missing ones are downloaded,
    from the hubs that `flowzoo.set_hub` names.

    Args:
        name: one of `flowzoo.list_presets()`; a name with a revision, such as "glow-mnist@1", which never changes;
            or the path of a preset's `.json` (its files in a folder of the same name beside it).
        weights: False gives a new flow with the preset's config.
        conditioner_dtype: "float32" or "mixed_bfloat16"; the same weights serve both. None takes the config's.

    Returns:
        The flow, not compiled.

    Raises:
        PresetError: no such preset, or its file is not written as one.
        CheckpointError: the weights are missing, damaged, or another model's.
        HubError: (a CheckpointError) they are not here, and no hub gave them.
        RuntimeError: in a process that was forked from one with a flow.

    >>> import flowzoo
    >>> flow = flowzoo.load("glow-fashion-mnist", weights=False)
    >>> flow.event_shape
    (28, 28, 1)
    """
    forked.refuse()
    preset = read_preset(name)
    if not weights:
        return build(preset, conditioner_dtype)
    path = store.checked_file(preset, store.folder(name))  # first, as building takes longer
    found = file_layout(path)
    _require_no_larger(preset, options(preset), found, path)
    flow = build(preset, conditioner_dtype)
    _load_published(flow, preset, path, found)
    return flow


def _require_no_larger(preset: Preset, options: Options, found: Layout, path: Path) -> None:
    """Refuses a flow with more or wider layers than the file before it is built, which could fill hours and memory."""
    longest = max((size for shape in found.values() for size in shape), default=0)
    limits = {
        "layers": (len(found), "variables are too few"),
        "width": (longest, "numbers along an axis, at most, are too few"),
    }
    for name, count, grows in options.least(preset.config):
        most, are_too_few = limits[grows]
        if count > most:
            raise CheckpointError(
                f"{path}: its {most} {are_too_few} for {name} {count} of {preset.source}. "
                "The preset and its weights belong to different versions."
            )


def _load_published(flow: "Flow", preset: Preset, path: Path, found: Layout) -> None:
    load_weights(flow, path, found)
    count, mark = flow.count_params(), fingerprint(found)
    if (count, mark) != (preset.parameters, preset.fingerprint):
        raise CheckpointError(
            f"{preset.name}: expected {preset.parameters} parameters with fingerprint {preset.fingerprint}, "
            f"got {count} with {mark}. The preset and its weights belong to different versions."
        )
