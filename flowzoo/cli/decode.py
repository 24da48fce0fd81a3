"""`flowzoo decode NAME FILE...`: latents to data."""

import argparse

from flowzoo.cli.common import add_files, add_preset, files_read
from flowzoo.cli.conditions import add_condition, condition_of
from flowzoo.cli.writing import ARRAYS, ROWS, add_json, add_out, check_drawn, check_out, report, write_data

NAME, HELP = "decode", "Turn latents, such as those of `flowzoo encode`, into data."
EXAMPLES = """
  flowzoo decode glow-mnist latents.npy --out=again.png
  flowzoo decode planar-rezende-u1 latents.csv --out=again.csv
"""
TENSORFLOW = True


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add_preset(parser)
    add_files(parser, ".npy of (n, *latent_shape), or .csv or .parquet with a latent in each row")
    add_condition(parser)
    add_out(parser, "decoded.npy", (".png", *ARRAYS), f"a .png grid of images, {ROWS}")
    add_json(parser, "what was decoded and where it is")


def run(args: argparse.Namespace) -> int:
    """Read, decode, write, and say where."""
    check_out(args.out, args.suffixes, files_read(args))
    import flowzoo
    from flowzoo.cli import reading
    from flowzoo.cli.batches import in_batches

    flow = flowzoo.load(args.preset)
    check_drawn(args.out, flow)
    z, _ = reading.read(args.files, reading.latents(flow), args.columns)
    condition = condition_of(flow, args, len(z))

    def decode(rows):
        return flow.decode(z[rows], flow.condition.rows(condition, rows))[0].numpy()

    x = in_batches(decode, len(z), "decoding")
    bad = reading.bad_rows(x)
    write_data(args.out, flow, x)
    line = f"{len(z)} examples decoded by {args.preset}: {args.out}"
    report(args, line, bad, preset=args.preset, examples=len(z), non_finite=len(bad), out=args.out)
    return 0
