"""The presets side by side in Markdown: MODEL_CARDS.md, docs/models/index.md, and the README's table."""

from flowzoo.cards.card import restriction_text
from flowzoo.cards.table import table
from flowzoo.record.preset import Preset

BEGIN, END = "<!-- presets:begin -->", "<!-- presets:end -->"
PAGES = "docs/models"

UNITS = """\
bits/dim is -log2 p(x) / D with x in its native integers; lower is better. log_likelihood, of continuous data, is
log p(x) in nats per example; higher is better. kl_divergence, where the true density is known, is the mean of
log p_true(x) - log p(x) over the test split in nats; lower is better, 0 is perfect. log_likelihood_unit and
log_likelihood_logit restate bits/dim of integer data in nats, as NICE and MAF do: of (x + noise) / 2^bits in [0, 1]^D,
and of the logit of that. evaluations is how often a continuous flow computed its velocities to score an example. The
number after ± is the standard error over examples.
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
    """The whole of docs/models/index.md: a table that the site makes sortable, and pictures."""
    pictures = [
        f"[![samples of {preset.name}](../../checkpoints/{preset.name}/samples.png)<br>{preset.name}]({preset.name}.md)"
        for preset in presets
        if preset.trained
    ]
    shown = "\n".join(pictures)
    return (
        f'{GALLERY}\n<div class="presets" markdown>\n\n{_overview(presets, "")}\n</div>\n\n{UNITS}\n'
        f'## Samples\n\n<div class="gallery" markdown>\n\n{shown}\n\n</div>\n'
    )


def preset_table(presets: list[Preset]) -> str:
    """The README's table of presets."""
    rows = []
    for preset in presets:
        limit = f"; {restriction_text(preset)}" if restriction_text(preset) else ""
        value = preset.likelihood.text(preset.measured, _absent(preset))
        rows.append((_link(preset, f"{PAGES}/"), f"{preset.dataset['name']}{limit}", value, _parameters(preset)))
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
        unit = preset.likelihood.unit
        value = preset.likelihood.text(preset.measured, _absent(preset), unit=False)
        published = next((e for e in preset.published if e["metric"] == preset.likelihood.metric), None)
        size = f"{preset.files['model.weights.h5']['bytes'] / 1e6:.1f}" if preset.trained else ""
        told = f"{published['value']:g}" if published else ""
        what = preset.dataset["name"] + (f", {preset.dataset['bits']} bits" if preset.dataset["bits"] else "")
        rows.append(
            (
                _link(preset, folder),
                preset.family,
                what,
                value,
                unit,
                told,
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


def _absent(preset: Preset) -> str:
    return "recipe only" if preset.recipe_only else "not trained yet"


def _parameters(preset: Preset) -> str:
    return f"{preset.parameters:,}" if preset.parameters else ""
