"""`flowzoo score NAME FILE...`: the likelihood of given examples."""

import argparse

from flowzoo.cli.common import add_label, add_preset, labels, positive, read_examples

NAME, HELP = "score", "Measure -log p of examples (.npy files or pictures): bits/dim for integer data, else nats."
TENSORFLOW = True


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add_preset(parser)
    parser.add_argument("files", nargs="+", metavar="FILE", help=".npy of (n, *shape), or pictures of one example each")
    add_label(parser)
    parser.add_argument("--draws", type=positive, default=1, help="noise draws of the importance-weighted bound (1)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the noise (0)")
    parser.add_argument("--out", metavar="FILE", help="write a CSV with one line for each example")


def run(args: argparse.Namespace) -> int:
    """Score, print mean and spread, write the values if asked to."""
    import flowzoo
    from flowzoo.files import write_atomic
    from flowzoo.training.evaluation import losses, unit

    flow = flowzoo.load(args.preset)
    x = read_examples(args.files, flow)
    values = losses(flow, x, labels(args.label, len(x)), samples=args.draws, seed=args.seed)
    if args.out:
        lines = "".join(f"{index},{value:.6f}\n" for index, value in enumerate(values))
        write_atomic(args.out, f"index,{unit(flow)}\n{lines}".encode())
    print(
        f"{len(values)} examples: {unit(flow)} {values.mean():.4f}, spread {values.std():.4f}, "
        f"{values.min():.4f} to {values.max():.4f} ({flow.kind}, draws {args.draws}, seed {args.seed})"
    )
    return 0
