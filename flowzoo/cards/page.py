"""A preset's card as a page of its own: docs/models/<preset>.md."""

import re

from flowzoo.cards.architecture import architecture
from flowzoo.cards.card import RECIPE_ONLY, data_text, paper_text, protocol_text, restriction_text, training_text
from flowzoo.cards.table import table
from flowzoo.data import specs
from flowzoo.measure.promises import BOUNDS, PROMISED, entry_value, failures
from flowzoo.record.preset import Preset

ROOT = "../.."  # from docs/models
PICTURES = "pictures"  # beside the pages

LIMITS = """The model knows only its training data, and a log-likelihood does not tell whether an input is normal: flows
are known to give some other data sets a higher one (Nalisnick et al. 2019, arXiv:1810.09136)."""

CERTIFICATE = """Largest errors over the rows that stay finite, in float32: |decode(encode(y)) - y| {unit}; |log_det of
encode + log_det of decode| in nats. Rows more than ten data ranges out count as exploded and have no part in the
errors. On test inputs and samples the bounds are {bounds}; out of distribution nothing is promised."""

KINDS = {"test": "test", "sampled": "sampled", "out_of_distribution": "out of distribution"}


def markdown_page(preset: Preset) -> str:
    """The whole page."""
    parts = [f"# {preset.name}\n", f"{preset.description}\n"]
    if preset.recipe_only:
        parts.append(f"**{RECIPE_ONLY[0].upper()}{RECIPE_ONLY[1:]}.**\n")
    if restriction_text(preset):
        parts.append(f"**Restricted: {restriction_text(preset)}.**\n")
    if preset.trained:
        folder = f"{ROOT}/checkpoints/{preset.name}"
        parts.append(f"![{_samples_text(preset)}]({folder}/samples.png)\n")
        if "interpolations.png" in preset.files:
            parts.append(f"![lines between samples at T = 0.7]({folder}/interpolations.png)\n")
    parts += [
        table(("what", "value"), _facts(preset)),
        f"## Architecture\n\n{architecture(preset)}\n\n`{_flat(preset.config)}`\n",
    ]
    rows = _measured(preset)
    if rows:
        header = ("metric", "value", "source", "protocol, and what differs")
        parts.append(f"## Measured and published\n\n{table(header, rows)}")
    parts += _certificate(preset) + _training(preset)
    facts = specs.spec(preset.dataset["name"])
    use = facts.use if facts.drawn else f"{facts.use}\n\n{LIMITS}"
    parts += [f"## Intended use\n\n{use}\n", *_failures(preset)]
    return "\n".join(parts)


def _facts(preset: Preset) -> list[tuple[str, str]]:
    rows = [("family", preset.family), ("data", data_text(preset)), ("paper", paper_text(preset))]
    if preset.parameters:
        rows.append(("parameters", f"{preset.parameters:,}"))
    rows += [(f"licence of the {what}", preset.licence[what]) for what in ("code", "weights", "data")]
    revision = f"{preset.revision}"
    if preset.trained:
        revision += f'; `flowzoo.load("{preset.name}@{preset.revision}")` never changes'
        for name, file in preset.files.items():
            rows.append((f"`{name}`", f"{file['bytes']:,} bytes, sha256 `{file['sha256'][:16]}…`"))
    return [*rows, ("revision", revision)]


def _samples_text(preset: Preset) -> str:
    """What samples.png shows."""
    facts = specs.spec(preset.dataset["name"])
    if len(facts.event_shape) == 3:
        return "samples: 8 rows at T = 1, then one at each of 0.9 ... 0.6"
    if facts.event_shape == (2,):
        return "density of the flow, its samples at T = 1" + (", and the true density" if facts.drawn else "")
    return "pair plot of the first features of samples at T = 1"


def _measured(preset: Preset) -> list[tuple[str, ...]]:
    rows = []
    for name, metric in (preset.metrics or {}).items():
        if "standard_error" in metric:
            value = f"{metric['value']:.4f} ± {metric['standard_error']:.4f}"
            source = f"measured here, {metric['split']}, {metric['examples']:,} examples"
            rows.append((name, value, source, protocol_text(metric)))
        else:
            rows.append((name, f"{metric['value']:.3g}", "measured here", metric["note"]))
    for entry in preset.published:
        value = f"{entry['value']:g}" + ("" if entry["verified"] else " (reported, unverified)")
        rows.append((entry["metric"], value, entry["source"], entry["note"]))
    return rows


def _certificate(preset: Preset) -> list[str]:
    if not preset.certificate:
        return []
    rows = []
    for kind, entry in preset.certificate.items():
        errors = [
            f"{entry[key]:.1e}" if key in entry else "none finite" for key in ("reconstruction_error", "log_det_error")
        ]
        rates = (f"{entry_value(entry, key):.1%}" for key in ("non_finite_rate", "exploded_rate"))
        rows.append((KINDS[kind], *errors, *rates, entry["inputs"]))
    unit = "with the data range 1" if preset.dataset["bits"] else "in units of the data"
    bounds = "{reconstruction_error:g}, {log_det_error:g}, no row that is not finite and {exploded_rate:.0%} exploded"
    bounds = bounds.format_map(BOUNDS)
    header = ("inputs", "reconstruction", "log_det, nats", "not finite", "exploded", "what they are")
    return [f"## Invertibility certificate\n\n{CERTIFICATE.format(unit=unit, bounds=bounds)}\n\n{table(header, rows)}"]


def _training(preset: Preset) -> list[str]:
    parts = [f"## Train it{'' if preset.recipe_only else ' again'}\n\n```bash\n{_recipe(preset)}\n```\n"]
    if preset.trained:
        run = preset.provenance
        versions = ", ".join(f"{name} {version}" for name, version in run["versions"].items())
        parts += [
            f"{training_text(preset)}; {versions}; source revision `{run['source_revision'][:12]}`, {run['date']}.\n",
            f"![validation and learning rate against steps and hours]({PICTURES}/{preset.name}-training.png)\n",
        ]
    return [*parts, f"Recipe: `{_flat(preset.training)}`\n"]


def _recipe(preset: Preset) -> str:
    name, lines, start = preset.dataset["name"], [], ""
    if not specs.spec(name).ready:
        lines.append(f"python tools/fetch_data.py --dataset={name}")
    if run := preset.provenance:
        what, _, digest = run.get("init_from", "").partition(", sha256 ")
        if re.fullmatch(r"\S+@\d+", what):  # a preset, whose revision the commit has that the training ran at
            path = f"checkpoints/{what.partition('@')[0]}/model.weights.h5"
            lines.append(f"# {what}, sha256 {digest}")
            lines.append(f"git show {run['source_revision']}:{path} > start.weights.h5")
        elif digest:
            lines.append(f"# start.weights.h5 is not in this repository: {what}, sha256 {digest}")
        start = f" --init_from={'start.weights.h5' if digest else what}" if what else ""
    lines.append(f"python tools/train.py --preset={preset.name} --workdir=runs/{preset.name}{start}")
    if not preset.recipe_only:
        lines.append(f"flowzoo verify {preset.name}")
    return "\n".join(lines)


def _failures(preset: Preset) -> list[str]:
    found = [f"- {text}" for text in preset.known_failures or []]
    found += [f"- Beyond the bounds of the certificate: {text}." for text in failures(preset.certificate or {})]
    for kind in set(preset.certificate or {}) - set(PROMISED):
        for key, bound in BOUNDS.items():
            value = preset.certificate[kind].get(key, 0.0)
            if value > bound:
                text = f"its {key} is {value:.1e}, more than the {bound:g} that others keep to."
                found.append(f"- {KINDS[kind].capitalize()}, {text}")
    other, parts = preset.elsewhere, []
    if other and other["other"]["value"] < other["own"]["value"]:
        found.append(
            f"- It scores `{other['dataset']}`, which it never saw, higher than its own data. {_scores(preset)}"
        )
    elif other:
        fine = f"It scores `{other['dataset']}` lower than its own data, as one would wish; that is no rule."
        parts = [f"## Another data set\n\n{fine} {_scores(preset)}\n"]
    return parts + (["## Known failures\n", "\n".join(found) + "\n"] if found else [])


def _scores(preset: Preset) -> str:
    """Both likelihoods and their histogram."""
    name, own = preset.elsewhere["dataset"], preset.dataset["name"]
    scores = [
        f"{entry['value']:.3f} ± {entry['standard_error']:.3f} bits/dim on {entry['examples']} test images of `{one}`"
        for one, entry in ((name, preset.elsewhere["other"]), (own, preset.elsewhere["own"]))
    ]
    return (
        f"Measured: {', '.join(scores)}; lower is a higher likelihood.\n\n"
        f"![bits/dim of test images of {own} and of {name}]({PICTURES}/{preset.name}-elsewhere.png)"
    )


def _flat(values: dict) -> str:
    return ", ".join(f"{key}={value}" for key, value in values.items())
