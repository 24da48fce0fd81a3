"""`flowzoo sample NAME`: draw from a flow."""

import argparse

from flowzoo.cli.common import add_preset, files_read, positive
from flowzoo.cli.conditions import add_condition, condition_of
from flowzoo.cli.writing import ARRAYS, ROWS, add_json, add_out, check_image, check_out, report, write_data

NAME, HELP = "sample", "Draw samples, as an image, an array or a table."
EXAMPLES = """
  flowzoo sample glow-mnist
  flowzoo sample planar-rezende-u1 --count=1000 --temperature=0.8 --out=samples.csv
"""
TENSORFLOW = True


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add_preset(parser)
    parser.add_argument("--count", type=positive, default=64, metavar="N", help="samples to draw (64)")
    add_condition(parser)
    parser.add_argument("--temperature", type=float, default=1.0, metavar="T", help="scale of the latent noise (1.0)")
    parser.add_argument("--seed", type=int, default=0, help="the same seed draws the same samples (0)")
    add_out(parser, "samples.png", (".png", *ARRAYS), f"a .png grid of images, {ROWS}")
    add_json(parser, "what was drawn and where it is")


def run(args: argparse.Namespace) -> int:
    """Draw, write, and say where."""
    check_out(args.out, args.suffixes, files_read(args))
    import flowzoo
    from flowzoo.cli.batches import in_batches
    from flowzoo.core import random
    from flowzoo.core.checks import check_count

    flow = flowzoo.load(args.preset)
    check_image(args.out, flow)
    condition = condition_of(flow, args, args.count)
    seeds = random.row_seeds(check_count(args.seed, "seed", 0), args.count)

    def draw(rows):
        given = flow.condition.rows(condition, rows)
        count = rows.stop - rows.start
        return flow.sample(count, given, temperature=args.temperature, seed=seeds[rows]).numpy()

    write_data(args.out, flow, in_batches(draw, args.count, "sampling"))
    line = f"{args.count} samples of {args.preset} at T = {args.temperature:g}, seed {args.seed}: {args.out}"
    facts = {"preset": args.preset, "samples": args.count, "temperature": args.temperature, "seed": args.seed}
    report(args, line, **facts, out=args.out)
    return 0
