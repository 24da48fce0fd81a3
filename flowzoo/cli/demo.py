"""`flowzoo demo`: the first minute with flowzoo, without network."""

import argparse

from flowzoo.cli.writing import check_out

NAME, HELP = "demo", "Load a trained flow, draw samples, score real images; needs no network."
EXAMPLES = """
  flowzoo demo
  flowzoo demo --preset=glow-mnist --out=mnist.png
"""
TENSORFLOW = True


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--out", default="flowzoo-demo.png", metavar="FILE", help="the image (flowzoo-demo.png)")
    parser.add_argument("--preset", metavar="NAME", help="another preset")


def run(args: argparse.Namespace) -> int:
    """Show the card, draw, score, reconstruct, and say where the files are."""
    check_out(args.out, (".png",))
    from pathlib import Path

    import flowzoo
    from flowzoo.cards.card import summary
    from flowzoo.cards.plots import write_plot
    from flowzoo.hub import store
    from flowzoo.measure.examples import inputs
    from flowzoo.measure.registry import headline
    from flowzoo.measure.round_trip import reconstructed

    name = args.preset or store.DEMO
    preset = flowzoo.card(name)
    print(summary(preset), end="\n\n", flush=True)
    flow = flowzoo.load(name)

    write_plot(flow, args.out, count=64)
    print("drew 64 samples at T = 1, seed 0", flush=True)

    (x, labels), what = inputs(preset, flow)
    first = headline(preset)
    values = first.losses(flow, x, labels)
    print(
        f"scored {len(x)} {what}: {values.mean():.4f} {first.column_unit}, spread {values.std():.4f} ({flow.kind})",
        flush=True,
    )

    print(reconstructed(flow, x[:64], flow.condition.rows(labels, slice(64))))

    weights = store.checked_file(preset, store.folder(name))
    print(f"\nsamples  {Path(args.out).resolve()}\nweights  {weights.resolve()}")
    return 0
