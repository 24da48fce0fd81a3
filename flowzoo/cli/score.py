"""`flowzoo score NAME FILE...`: bits/dim of given examples."""

import argparse

from flowzoo.cli.common import add_label, add_preset, labels, positive, read_examples

NAME, HELP = "score", "Measure the bits/dim of examples: .npy files or pictures."
TENSORFLOW = True


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add_preset(parser)
    parser.add_argument("files", nargs="+", metavar="FILE", help=".npy of (n, *shape), or pictures of one example each")
    add_label(parser)
    parser.add_argument("--draws", type=positive, default=1, help="noise draws of the importance-weighted bound (1)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the noise (0)")
    parser.add_argument("--out", metavar="FILE", help="write one line `index,bits_per_dim` for each example")


def run(args: argparse.Namespace) -> int:
    """Score, print mean and spread, write the values if asked to."""
    import flowzoo
    from flowzoo.training.evaluation import losses
    from flowzoo.zoo.files import write_atomic

    flow = flowzoo.load(args.preset)
    x = read_examples(args.files, flow)
    values = losses(flow, x, labels(args.label, len(x)), samples=args.draws, seed=args.seed)
    if args.out:
        lines = "".join(f"{index},{value:.6f}\n" for index, value in enumerate(values))
        write_atomic(args.out, f"index,bits_per_dim\n{lines}".encode())
    print(
        f"{len(values)} examples: {values.mean():.4f} bits/dim, spread {values.std():.4f}, "
        f"{values.min():.4f} to {values.max():.4f} ({flow.kind}, {args.draws} draws, seed {args.seed})"
    )
    return 0
