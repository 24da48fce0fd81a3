"""`flowzoo sample NAME`: draw from a flow."""

import argparse

from flowzoo.cli.common import add_label, add_preset, labels, positive

NAME, HELP = "sample", "Draw samples, as a picture or an array."
TENSORFLOW = True


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add_preset(parser)
    parser.add_argument("--count", type=positive, default=64, metavar="N", help="samples to draw (64)")
    add_label(parser)
    parser.add_argument("--temperature", type=float, default=1.0, metavar="T", help="scale of the latent noise (1.0)")
    parser.add_argument("--seed", type=int, default=0, help="the same seed draws the same samples (0)")
    parser.add_argument("--out", default="samples.png", metavar="FILE", help="a .png or .npy file (samples.png)")


def run(args: argparse.Namespace) -> int:
    """Draw, write, and say where."""
    if not args.out.endswith((".png", ".npy")):
        raise ValueError(f"--out must end in .png or .npy, got {args.out!r}.")
    import flowzoo
    from flowzoo.files import write_array
    from flowzoo.zoo.pictures import write_png

    preset = flowzoo.card(args.preset)
    flow = flowzoo.load(args.preset)
    condition = labels(args.label, args.count)
    samples = flow.sample(args.count, condition, temperature=args.temperature, seed=args.seed).numpy()
    if args.out.endswith(".npy"):
        write_array(args.out, samples)
    else:
        write_png(args.out, samples, bits=preset.dataset["bits"])
    print(f"{args.count} samples of {args.preset} at T = {args.temperature:g}, seed {args.seed}: {args.out}")
    return 0
