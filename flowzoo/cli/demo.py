"""`flowzoo demo`: the first minute with flowzoo, without network."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from flowzoo.cli.writing import check_out

if TYPE_CHECKING:
    from flowzoo.measure.examples import Examples
    from flowzoo.models.flow import Flow
    from flowzoo.record.preset import Preset

NAME, HELP = "demo", "Load a trained model, draw samples, score and reconstruct test data; needs no network."
EXAMPLES = """
  flowzoo demo
  flowzoo demo --preset=vae-mnist-binary --out=digits.png
"""
TENSORFLOW = True
SCORED, RECONSTRUCTED = 256, 64  # examples


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--out", default="flowzoo-demo.png", metavar="FILE", help="the image (flowzoo-demo.png)")
    parser.add_argument("--preset", metavar="NAME", help="another preset with weights")


def run(args: argparse.Namespace) -> int:
    """Show the card, draw, score, reconstruct, and say where the files are."""
    check_out(args.out, (".png",))
    from pathlib import Path

    import flowzoo
    from flowzoo.cards.card import summary
    from flowzoo.cards.plots import usual_count, write_plot
    from flowzoo.hub import store
    from flowzoo.measure.registry import headline
    from flowzoo.measure.round_trip import reconstructed

    name = args.preset or store.DEMO
    preset = flowzoo.card(name)
    print(summary(preset), end="\n\n", flush=True)
    flow = flowzoo.load(name)

    count = usual_count(flow)
    write_plot(flow, args.out, count=count, target=flowzoo.data.density(preset.dataset["name"]))
    print(f"drew {count:,} samples at T = 1, seed 0", flush=True)

    (x, condition), what = _examples(preset, flow)
    first = headline(preset)
    values = first.losses(flow, x, condition)
    score = f"-log p(x) {values.mean():.4f} {first.column_unit}, spread {values.std():.4f} ({flow.kind})"
    print(f"scored {len(x)} {what}: {score}", flush=True)

    few = slice(RECONSTRUCTED)
    for line in reconstructed(flow, x[few], flow.condition.rows(condition, few)):
        print(line, flush=True)

    weights = store.checked_file(preset, store.folder(name))
    print(f"\nsamples  {Path(args.out).resolve()}\nweights  {weights.resolve()}")
    return 0


def _examples(preset: Preset, flow: Flow) -> tuple[Examples, str]:
    """Test examples that are here: those shipped, else of the test split; else samples. And what they are."""
    from flowzoo.data import MissingDataError
    from flowzoo.measure.examples import arrays, inputs, shipped_examples
    from flowzoo.measure.likelihood import TEST
    from flowzoo.modalities.registry import modality_of

    if shipped := shipped_examples(preset):
        return shipped, f"shipped test {modality_of(flow.x_space).what}"
    try:
        return arrays(preset.dataset, TEST, SCORED), "examples of the test split"
    except MissingDataError:
        return inputs(preset, flow)
