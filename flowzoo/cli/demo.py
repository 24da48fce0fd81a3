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
    parser.add_argument("--preset", metavar="NAME", help="another preset of images")


def run(args: argparse.Namespace) -> int:
    """Show the card, draw, score, reconstruct, and say where the files are."""
    check_out(args.out, (".png",))
    from pathlib import Path

    import flowzoo
    from flowzoo.cards.card import summary
    from flowzoo.hub import store
    from flowzoo.measure.examples import inputs
    from flowzoo.measure.registry import headline
    from flowzoo.measure.round_trip import reconstruction_error
    from flowzoo.modalities.image import write_png

    name = args.preset or store.DEMO
    preset = flowzoo.card(name)
    print(summary(preset), end="\n\n", flush=True)
    flow = flowzoo.load(name)

    write_png(args.out, flow.sample(64, flow.condition.labels_in_turn(64), seed=0).numpy(), values=flow.x_space.values)
    print("drew 64 samples at T = 1, seed 0", flush=True)

    (x, labels), what = inputs(preset, flow)
    first = headline(preset)
    values = first.losses(flow, x, labels)
    print(
        f"scored {len(x)} {what}: {values.mean():.4f} {first.column_unit}, spread {values.std():.4f} ({flow.kind})",
        flush=True,
    )

    few = None if labels is None else labels[:64]
    error = reconstruction_error(flow, x[:64], few)
    print(f"reconstructed 64 of them by encode and decode: largest error {error:.1e} of the data range")

    weights = store.checked_file(preset, store.folder(name))
    print(f"\nsamples  {Path(args.out).resolve()}\nweights  {weights.resolve()}")
    return 0
