"""`flowzoo sample NAME`: draw from a flow."""

import argparse

from flowzoo.cli.common import add_preset, files_read, positive
from flowzoo.cli.conditions import COUNT, add_condition, condition_and_count
from flowzoo.cli.writing import ARRAYS, ROWS, add_json, add_out, check_drawn, check_out, report, write_data

NAME, HELP = "sample", "Draw samples, as an image, a file of audio, an array or a table."
EXAMPLES = """
  flowzoo sample glow-mnist
  flowzoo sample waveflow-fsdd --condition=speech.wav --out=again.wav
  flowzoo sample planar-rezende-u1 --count=1000 --temperature=0.8 --out=samples.csv
"""
TENSORFLOW = True


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add_preset(parser)
    what = f"samples to draw (one for each row of a --condition in a file, else {COUNT})"
    parser.add_argument("--count", type=positive, metavar="N", help=what)
    add_condition(parser)
    parser.add_argument("--temperature", type=float, default=1.0, metavar="T", help="scale of the latent noise (1.0)")
    parser.add_argument("--seed", type=int, default=0, help="the same seed draws the same samples (0)")
    what = f"a .png grid of images, a .wav file of clips of audio one after the other, {ROWS}"
    add_out(parser, "samples.png", (".png", ".wav", *ARRAYS), what)
    add_json(parser, "what was drawn and where it is")


def run(args: argparse.Namespace) -> int:
    """Draw, write, and say where."""
    check_out(args.out, args.suffixes, files_read(args))
    import flowzoo
    from flowzoo.cli.batches import in_batches
    from flowzoo.core import random
    from flowzoo.core.checks import check_count

    flow = flowzoo.load(args.preset)
    check_drawn(args.out, flow)
    condition, total = condition_and_count(flow, args, args.count)
    seeds = random.row_seeds(check_count(args.seed, "seed", 0), total)

    def draw(rows):
        given = flow.condition.rows(condition, rows)
        count = rows.stop - rows.start
        return flow.sample(count, given, temperature=args.temperature, seed=seeds[rows]).numpy()

    write_data(args.out, flow, in_batches(draw, total, "sampling"))
    line = f"{total} samples of {args.preset} at T = {args.temperature:g}, seed {args.seed}: {args.out}"
    facts = {"preset": args.preset, "samples": total, "temperature": args.temperature, "seed": args.seed}
    report(args, line, **facts, out=args.out)
    return 0
