"""The cards of all presets as Markdown: MODEL_CARDS.md, and the README's table."""

from flowzoo.data import specs
from flowzoo.zoo.card import (
    RECIPE_ONLY,
    data_text,
    licence_text,
    paper_text,
    protocol_text,
    restriction_text,
    training_text,
)
from flowzoo.zoo.preset import Preset

BEGIN, END = "<!-- presets:begin -->", "<!-- presets:end -->"

INTENDED_USE = """Density estimation, sampling and fine-tuning in research and teaching; a starting point for a flow on
data of the same shape. The model knows only its training data, and a log-likelihood does not tell whether an input is
normal: flows are known to give some other data sets a higher one (Nalisnick et al. 2019, arXiv:1810.09136)."""

HEAD = """# Model cards

Written by `python tools/make_cards.py` from `flowzoo/zoo/presets/*.json`; do not edit.
bits/dim is -log2 p(x) / D with x in its native integers; lower is better. log_likelihood, of continuous data, is
log p(x) in nats per example; higher is better. kl_divergence, where the true density is known, is the mean of
log p_true(x) - log p(x) over the test split in nats; lower is better, 0 is perfect. log_likelihood_unit and
log_likelihood_logit restate bits/dim of integer data in nats, as NICE and MAF do: of (x + noise) / 2^bits in [0, 1]^D,
and of the logit of that.
The number after ± is the standard error over examples.
`flowzoo verify NAME` measures the numbers again.
"""


def markdown_cards(presets: list[Preset]) -> str:
    """The whole of MODEL_CARDS.md."""
    return "\n".join([HEAD, *(markdown_card(preset) for preset in presets)])


def markdown_card(preset: Preset) -> str:
    """One preset's section of MODEL_CARDS.md."""
    parts = [f"## {preset.name}\n", f"{preset.description}\n"]
    if preset.recipe_only:
        parts.append(f"**{RECIPE_ONLY[0].upper()}{RECIPE_ONLY[1:]}.**\n")
    if restriction_text(preset):
        parts.append(f"**Restricted: {restriction_text(preset)}.**\n")
    if preset.trained:
        folder = f"checkpoints/{preset.name}"
        if "samples.png" in preset.files:
            parts.append(f"![{_samples_text(preset)}]({folder}/samples.png)\n")
        if "interpolations.png" in preset.files:
            parts.append(f"![lines between samples at T = 0.7]({folder}/interpolations.png)\n")
    parts += [_table(("", ""), _facts(preset)), "### Measured and published\n", _table(*_measured(preset))]
    parts.append(f"### Intended use\n\n{INTENDED_USE}\n")
    parts.append(f"### Train it{'' if preset.recipe_only else ' again'}\n\n```\n{_recipe(preset)}\n```\n")
    return "\n".join(parts)


def preset_table(presets: list[Preset]) -> str:
    """The README's table of presets."""
    rows = []
    for preset in presets:
        absent = "recipe only, no weights" if preset.recipe_only else "not trained yet"
        value = preset.likelihood.text(preset.measured, absent)
        limit = f"; {restriction_text(preset)}" if restriction_text(preset) else ""
        count = f"{preset.parameters:,}" if preset.parameters else ""
        rows.append(
            (f"[{preset.name}](MODEL_CARDS.md#{preset.name})", f"{preset.dataset['name']}{limit}", value, count)
        )
    return _table(("preset", "data", "test", "parameters"), rows)


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


def _facts(preset: Preset) -> list[tuple[str, str]]:
    config = ", ".join(f"{key}={value}" for key, value in preset.config.items())
    recipe = ", ".join(f"{key}={value}" for key, value in preset.training.items())
    rows = [
        ("family", f"{preset.family}, revision {preset.revision}"),
        ("config", f"`{config}`"),
        ("data", data_text(preset)),
        ("training", f"`{recipe}`"),
        ("licence", licence_text(preset)),
        ("paper", paper_text(preset)),
    ]
    if preset.parameters:
        rows.append(("parameters", f"{preset.parameters:,}"))
    if preset.trained:
        run = preset.provenance
        versions = ", ".join(f"{name} {version}" for name, version in run["versions"].items())
        files = "; ".join(
            f"{name}, {file['bytes']:,} bytes, `{file['sha256'][:16]}…`" for name, file in preset.files.items()
        )
        rows += [
            ("files", files),
            ("trained", training_text(preset)),
            ("versions", f"{versions}; source revision `{run['source_revision']}`, {run['date']}"),
        ]
    return rows


def _samples_text(preset: Preset) -> str:
    """What samples.png shows."""
    facts = specs.spec(preset.dataset["name"])
    if len(facts.event_shape) == 3:
        return "samples: 8 rows at T = 1, then one at each of 0.9 ... 0.6"
    if facts.event_shape == (2,):
        return "density of the flow, its samples at T = 1" + (", and the true density" if facts.drawn else "")
    return "pair plot of the first features of samples at T = 1"


def _measured(preset: Preset) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    rows = []
    for name, metric in (preset.metrics or {}).items():
        if "standard_error" in metric:
            value = f"{metric['value']:.4f} ± {metric['standard_error']:.4f}"
            rows.append(
                (
                    name,
                    value,
                    f"measured here, {metric['split']}, {metric['examples']:,} examples",
                    protocol_text(metric),
                )
            )
        else:
            rows.append((name, f"{metric['value']:.3g}", "measured here", metric["note"]))
    for entry in preset.published:
        value = f"{entry['value']:g}" + ("" if entry["verified"] else " (reported, unverified)")
        rows.append((entry["metric"], value, entry["source"], entry["note"]))
    return ("metric", "value", "source", "protocol, and what differs"), rows


def _recipe(preset: Preset) -> str:
    start = (preset.provenance or {}).get("init_from")
    start = "" if start is None else f" --init_from={'FILE' if ', sha256' in start else start}"
    name = preset.dataset["name"]
    fetch = "" if specs.spec(name).drawn else f"python tools/fetch_data.py --dataset={name}\n"
    return (f"{fetch}python tools/train.py --preset={preset.name} --workdir=runs/{preset.name}{start}") + (
        "" if preset.recipe_only else f"\nflowzoo verify {preset.name}"
    )


def _table(header: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [header, ("---",) * len(header), *(tuple(cell.replace("|", r"\|") for cell in row) for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
