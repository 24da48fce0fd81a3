"""`flowzoo score NAME FILE...`: the likelihood of given examples."""

import argparse

from flowzoo.cli.common import add_files, add_noise_seed, add_preset, files_read, positive
from flowzoo.cli.conditions import add_condition, condition_of
from flowzoo.cli.writing import ARRAYS, add_json, add_out, check_out, print_json, write_columns

NAME, HELP = "score", "Measure -log p of examples, in the unit that the preset was trained in."
EXAMPLES = """
  flowzoo score glow-mnist digits/ more.npy --out=scores.csv
  flowzoo score planar-rezende-u1 points.parquet --columns=x0,x1 --json
"""
TENSORFLOW = True
FILES = ".npy of (n, *shape), .csv or .parquet with an example in each row, images, or folders of images"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add_preset(parser)
    add_files(parser, FILES)
    add_condition(parser)
    parser.add_argument("--draws", type=positive, default=1, help="noise draws of the importance-weighted bound (1)")
    add_noise_seed(parser)
    add_out(parser, None, ARRAYS, "write a .csv or .parquet of index, file and value, or a .npy of the values")
    add_json(parser, "the summary")


def run(args: argparse.Namespace) -> int:
    """Score, print mean and spread, write the values if asked to."""
    check_out(args.out, args.suffixes, files_read(args))
    import numpy as np

    import flowzoo
    from flowzoo.cli import reading
    from flowzoo.measure.likelihood import losses, unit

    flow = flowzoo.load(args.preset)
    x, files = reading.read(args.files, reading.data(flow), args.columns)
    given = condition_of(flow, args, len(x))
    values = losses(flow, x, given, samples=args.draws, seed=args.seed, progress=True)
    if args.out:
        write_columns(args.out, values, {"index": np.arange(len(values)), "file": files, unit(flow): values})
    summary = {"examples": len(values), "unit": unit(flow), "mean": float(values.mean()), "spread": float(values.std())}
    summary |= {"lowest": float(values.min()), "highest": float(values.max())}
    bad = reading.bad_rows(values)
    summary |= {"non_finite": len(bad), "kind": flow.kind, "draws": args.draws, "seed": args.seed}
    if args.json:
        print_json(summary)
    else:
        print(
            "{examples} examples: {unit} {mean:.4f}, spread {spread:.4f}, {lowest:.4f} to {highest:.4f} "
            "({kind}, draws {draws}, seed {seed})".format(**summary)
        )
        if len(bad):
            print(f"{len(bad)} examples have no finite likelihood, first index {bad[0]}, of {files[bad[0]]}")
    return 0
