"""The architecture of a preset in words, from its configuration alone."""

from flowzoo.families.sentences import description
from flowzoo.record.preset import Preset
from flowzoo.training.model import options


def architecture(preset: Preset) -> str:
    """What the flow consists of, in a few sentences.

    Raises:
        PresetError: the family is unknown, or refuses the config.
    """
    return description(options(preset))
