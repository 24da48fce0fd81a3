"""`flowzoo encode NAME FILE...`: data to latents."""

import argparse

from flowzoo.cli.common import add_files, add_noise_seed, add_preset, files_read
from flowzoo.cli.conditions import add_condition, condition_of
from flowzoo.cli.score import FILES
from flowzoo.cli.writing import ARRAYS, ROWS, add_json, add_out, check_out, report, write_rows

NAME, HELP = "encode", "Turn examples into latents; `flowzoo decode` turns them back."
EXAMPLES = """
  flowzoo encode glow-mnist digits/ --out=latents.npy
  flowzoo encode planar-rezende-u1 points.csv --out=latents.csv
"""
TENSORFLOW = True


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add_preset(parser)
    add_files(parser, FILES)
    add_condition(parser)
    add_noise_seed(parser)
    add_out(parser, "latents.npy", ARRAYS, ROWS)
    add_json(parser, "what was encoded and where it is")


def run(args: argparse.Namespace) -> int:
    """Read, encode, write, and say where."""
    check_out(args.out, args.suffixes, files_read(args))
    import flowzoo
    from flowzoo.cli import reading
    from flowzoo.cli.batches import in_batches

    flow = flowzoo.load(args.preset)
    x, _ = reading.read(args.files, reading.data(flow), args.columns)
    condition = condition_of(flow, args, len(x))

    def encode(rows):
        return flow.encode(x[rows], flow.condition.rows(condition, rows), args.seed)[0].numpy()

    z = in_batches(encode, len(x), "encoding")
    bad = reading.bad_rows(z)
    write_rows(args.out, z, "z")
    line = f"{len(x)} latents of shape {tuple(flow.latent_shape)} by {args.preset}, seed {args.seed}: {args.out}"
    facts = {"preset": args.preset, "latents": len(x), "shape": tuple(flow.latent_shape), "seed": args.seed}
    report(args, line, bad, **facts, non_finite=len(bad), out=args.out)
    return 0
