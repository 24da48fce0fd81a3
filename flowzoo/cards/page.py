"""A preset's card as a page of its own: docs/models/<preset>.md."""

from flowzoo.cards.architecture import architecture
from flowzoo.cards.card import (
    RECIPE_ONLY,
    data_text,
    paper_text,
    restriction_text,
    revision_text,
    start_kept,
    training_text,
)
from flowzoo.cards.templates import render
from flowzoo.data import specs
from flowzoo.measure.measured import protocol_text, value_text
from flowzoo.measure.registry import MEASUREMENTS
from flowzoo.modalities.registry import modality_of
from flowzoo.record.preset import Preset

FIGURES = "figures"  # beside the pages


def markdown_page(preset: Preset) -> str:
    """The whole page."""
    dataset = specs.spec(preset.dataset["name"])
    return render(
        "preset",
        preset=preset,
        dataset=dataset,
        figures=FIGURES,
        recipe_only=RECIPE_ONLY,
        data=data_text(preset),
        paper=paper_text(preset),
        restriction=restriction_text(preset),
        samples=_samples_text(dataset),
        architecture=architecture(preset),
        training_text=training_text,
        revision_text=revision_text,
        start_kept=start_kept,
        value_text=value_text,
        protocol_text=protocol_text,
        measurements=MEASUREMENTS,
        failures=[(one, text) for one in MEASUREMENTS for text in one.failures(preset)],
    )


def _samples_text(dataset: specs.DatasetSpec) -> str:
    """What samples.png shows."""
    if card := modality_of(dataset.x_space).card:
        return card
    if dataset.event_shape == (2,):
        return "density of the flow, its samples at T = 1" + (", and the true density" if dataset.drawn else "")
    return "pair plot of the first features of samples at T = 1"
