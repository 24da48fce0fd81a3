"""The presets side by side in Markdown: MODEL_CARDS.md, docs/models/index.md, and the README's table."""

from flowzoo.cards.card import bits_text, restriction_text
from flowzoo.cards.table import table
from flowzoo.measure.registry import MEASUREMENTS, headline, headline_text
from flowzoo.record.preset import Preset

BEGIN, END = "<!-- presets:begin -->", "<!-- presets:end -->"
PAGES = "docs/models"

ABSENT = "not trained yet"
MEANINGS = "\n".join(f"- {one.meaning}" for one in MEASUREMENTS if one.meaning)
UNITS = f"""\
{MEANINGS}

The number after ± is the standard error over examples.
"""

HEAD = f"""# Model cards

Written by `python tools/make_cards.py` from `flowzoo/zoo/presets/*.json`; do not edit. Each preset has a page:
architecture, licences, recipe, numbers with their protocol beside the published ones, invertibility certificate,
training curve, known failures. `flowzoo verify NAME` measures the numbers again.

{UNITS}"""

GALLERY = """# Models

Each has a page with its numbers and how they were measured, its invertibility certificate and known failures;
`flowzoo verify NAME` measures the numbers again.
"""


def markdown_cards(presets: list[Preset]) -> str:
    """The whole of MODEL_CARDS.md."""
    return f"{HEAD}\n{_overview(presets, f'{PAGES}/')}"


def markdown_gallery(presets: list[Preset]) -> str:
    """The whole of docs/models/index.md: a table that the site makes sortable, and figures."""
    figures = [
        f"[![samples of {preset.name}](../../checkpoints/{preset.name}/samples.png)<br>{preset.name}]({preset.name}.md)"
        for preset in presets
        if preset.trained
    ]
    shown = "\n".join(figures)
    return (
        f'{GALLERY}\n<div class="presets" markdown>\n\n{_overview(presets, "")}\n</div>\n\n{UNITS}\n'
        f'## Samples\n\n<div class="gallery" markdown>\n\n{shown}\n\n</div>\n'
    )


def preset_table(presets: list[Preset]) -> str:
    """The README's table of presets."""
    rows = []
    for preset in presets:
        limit = f"; {restriction_text(preset)}" if restriction_text(preset) else ""
        name, data = _link(preset, f"{PAGES}/"), f"{preset.dataset['name']}{limit}"
        rows.append((name, data, headline_text(preset, ABSENT), _parameters(preset)))
    return table(("preset", "data", "test", "parameters"), rows)


def readme_with_table(readme: str, presets: list[Preset]) -> str:
    """The README with the table between its two markers written anew.

    Raises:
        ValueError: the markers are not there, once each and in order.
    """
    before, begin, rest = readme.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the README must have {BEGIN} and then {END}, got one without. Put them around the table.")
    return f"{before}{BEGIN}\n\n{preset_table(presets)}\n{END}{after}"


def _overview(presets: list[Preset], folder: str) -> str:
    rows = []
    for preset in presets:
        first, value = headline(preset), headline_text(preset, ABSENT, unit=False)
        published = next((e for e in preset.published if e["metric"] == first.name), None)
        size = f"{preset.files['model.weights.h5']['bytes'] / 1e6:.1f}" if preset.trained else ""
        claimed = f"{published['value']:g}" if published else ""
        what = preset.dataset["name"] + (f", {bits_text(preset)}" if preset.discrete else "")
        rows.append(
            (
                _link(preset, folder),
                preset.family,
                what,
                value,
                first.unit,
                claimed,
                _parameters(preset),
                size,
                _licence(preset),
            )
        )
    header = ("preset", "family", "data", "test", "unit", "published", "parameters", "MB", "licence")
    return table(header, rows, right=("test", "published", "parameters", "MB"))


def _link(preset: Preset, folder: str) -> str:
    return f"[{preset.name}]({folder}{preset.name}.md)"


def _licence(preset: Preset) -> str:
    return "non-commercial" if restriction_text(preset) else preset.licence["weights"]


def _parameters(preset: Preset) -> str:
    return f"{preset.parameters:,}" if preset.parameters else ""
