"""The card of a preset: what it is, what it measured and how, in plain text."""

from pathlib import Path
from typing import Any

from flowzoo.data import specs
from flowzoo.hub.presets import read_preset
from flowzoo.measure.registry import MEASUREMENTS, headline, require_measurements
from flowzoo.record.preset import Preset
from flowzoo.record.recipe import names_preset

RECIPE_ONLY = "recipe only: there are no weights"


def card(name: str | Path) -> Preset:
    """The card of a preset: its record, with name, family, dataset, metrics, ... as attributes and `to_dict()`.

    Args:
        name: what `flowzoo.load` takes.

    >>> import flowzoo
    >>> flowzoo.card("glow-fashion-mnist").family
    'glow'
    """
    preset = read_preset(name)
    require_measurements(preset)
    return preset


def summary(preset: Preset) -> str:
    """The card in a few lines of plain text."""
    first = headline(preset)
    entry = first.entry(preset)
    absent = RECIPE_ONLY if preset.recipe_only else "not measured yet: no trained weights"
    size = f", {preset.parameters:,} parameters" if preset.parameters else ""
    lines = [
        f"{preset.name} (revision {preset.revision}): {preset.description}",
        f"  family     {preset.family}{size}",
        f"  data       {data_text(preset)}",
        f"  {first.unit:10} {first.text(entry) if entry else absent}",
    ]
    for measurement in MEASUREMENTS:
        if measurement.label and (entry := measurement.entry(preset)):
            lines.append(f"  {measurement.label:10} {measurement.text(entry)}")
    lines += [f"  trained    {training_text(preset)}"] if preset.trained else []
    lines += [f"  published  {published_text(entry)}" for entry in preset.published]
    lines += [f"  licence    {licence_text(preset)}"]
    lines += [f"  restricted {restriction_text(preset)}"] if restriction_text(preset) else []
    lines += [f"  paper      {paper_text(preset)}"]
    return "\n".join(lines)


def data_text(preset: Preset) -> str:
    """The data set, its bits, and of which larger one it is a part."""
    name = preset.dataset["name"]
    subset = specs.spec(name).subset if name in specs.names() else ""
    return f"{name}, {bits_text(preset)}" + (f" ({subset})" if subset else "")


def bits_text(preset: Preset) -> str:
    """How many bits the data have."""
    return f"{preset.depth} bit{'s' * (preset.depth > 1)}" if preset.discrete else "continuous"


def training_text(preset: Preset) -> str:
    """Steps, wall time, hardware, memory and start of the training of a published preset, or of its last stage."""
    run, stages = preset.provenance, len(preset.training)
    text = f"the last of {stages} stages: " if stages > 1 else ""
    text += f"{run['steps']:,} steps in {run['wall_time_seconds'] / 3600:.2f} h on {run['hardware']}"
    for key, what in (("peak_memory_bytes", "memory"), ("peak_gpu_memory_bytes", "GPU memory")):
        text += f", at most {run[key] / 2**30:.2f} GiB of {what}" if key in run else ""
    text += f", {run['strategy']} on {run['replicas']} replicas" if run.get("replicas", 1) > 1 else ""
    text += f", from the weights of {start}" if (start := start_text(preset)) else ""
    if "processor_seconds" in run:
        text += f"; {run['processor_seconds']:,.0f} processor seconds" + (" in all stages" if stages > 1 else "")
    return text


def start_text(preset: Preset) -> str:
    """What the training of a preset, or its last stage, started from; the digest only if it can be had. "" if anew."""
    what, digest = _start(preset)
    before = "the stage before" if what and len(preset.training) > 1 else ""
    if not start_kept(preset):
        return f"{before or what}, which were not kept"
    return (f"{before}, {what}" if before else what) + (f" (sha256 {digest[:16]}…)" if digest else "")


def start_kept(preset: Preset) -> bool:
    """Whether the weights that it started from are a preset's, or new ones, and not a file's of that training."""
    what, _ = _start(preset)
    return not what or names_preset(what)


def _start(preset: Preset) -> tuple[str, str]:
    what, _, digest = preset.provenance.get("init_from", "").partition(", sha256 ")
    return what, digest


def revision_text(preset: Preset) -> str:
    """The commit of the source that trained a published preset, and what is not known of it."""
    run = preset.provenance
    commit, _, dirty = run["source_revision"].partition("-")
    text = "source revision " + (commit if commit == "unknown" else f"`{commit[:12]}`")
    text += " with changes that were not committed" if dirty else ""
    return text + (f" ({run['source_note']})" if "source_note" in run else "")


def restriction_text(preset: Preset) -> str:
    """What the data's licence forbids, in a few words; "" if it allows commercial use."""
    limited = "non-commercial" in preset.licence["data"].lower() or "noncommercial" in preset.licence["data"].lower()
    return "non-commercial research only, by the licence of the data" if limited else ""


def published_text(entry: dict[str, Any]) -> str:
    """A published number with its source and what differs from ours."""
    doubt = "" if entry["verified"] else " (reported, unverified)"
    return f"{entry['metric']} {entry['value']:g}{doubt}: {entry['source']}; {entry['note']}"


def licence_text(preset: Preset) -> str:
    """The licences of code, weights and data, apart."""
    return ", ".join(f"{what} {preset.licence[what]}" for what in ("code", "weights", "data"))


def paper_text(preset: Preset) -> str:
    """The paper in one line."""
    paper = preset.paper
    return f"{paper['authors']} {paper['year']}, {paper['title']}, arXiv:{paper['arxiv']}"
