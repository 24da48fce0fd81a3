"""`flowzoo interpolate NAME FROM TO`: straight lines in the latent from some examples to others."""

import argparse

from flowzoo.cli.common import add_columns, add_preset, files_read, positive
from flowzoo.cli.conditions import add_condition, condition_of
from flowzoo.cli.writing import ARRAYS, add_json, add_out, check_drawn, check_out, report, write_data

NAME, HELP = "interpolate", "Decode the straight lines between the latents of two sets of examples."
EXAMPLES = """
  flowzoo interpolate glow-mnist zero.png one.png --steps=12 --out=between.png
  flowzoo interpolate planar-rezende-u1 from.csv to.csv --out=between.csv
"""
TENSORFLOW = True


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add_preset(parser)
    for name, what in (("start", "FROM"), ("end", "TO")):
        parser.add_argument(name, metavar=what, help="a file or folder as for `flowzoo score`; the same number in both")
    add_columns(parser)
    parser.add_argument("--steps", type=positive, default=8, metavar="N", help="points on a line, with its ends (8)")
    add_condition(parser)
    what = "a .png with a line in each row, a .npy of (n, steps, *shape), or a .csv or .parquet of line, step, x"
    add_out(parser, "interpolations.png", (".png", *ARRAYS), what)
    add_json(parser, "what was drawn and where it is")


def run(args: argparse.Namespace) -> int:
    """Read both, interpolate, write, and say where."""
    check_out(args.out, args.suffixes, files_read(args))
    import numpy as np

    import flowzoo
    from flowzoo.cli import reading
    from flowzoo.cli.batches import in_batches

    flow = flowzoo.load(args.preset)
    check_drawn(args.out, flow)
    (start, _), (end, _) = reading.read_each([[args.start], [args.end]], reading.data(flow), args.columns)
    if len(start) != len(end):
        raise ValueError(f"FROM and TO must hold the same number of examples, got {len(start)} and {len(end)}.")
    condition = condition_of(flow, args, len(start))

    def between(rows):
        given = flow.condition.rows(condition, rows)
        return flow.interpolate(start[rows], end[rows], steps=args.steps, condition=given).numpy()

    lines = in_batches(between, len(start), "interpolating", size=64)
    line, step = np.divmod(np.arange(len(lines) * args.steps), args.steps)
    points = lines if args.out.endswith(".npy") else lines.reshape(-1, *flow.event_shape)
    write_data(args.out, flow, points, images_in_a_row=args.steps, before={"line": line, "step": step})
    text = f"{len(lines)} lines of {args.steps} steps by {args.preset}: {args.out}"
    report(args, text, preset=args.preset, lines=len(lines), steps=args.steps, out=args.out)
    return 0
