"""`flowzoo evaluate NAME`: the likelihood on a split of the preset's data set."""

import argparse

from flowzoo.cli.common import add_data_dir, add_noise_seed, add_preset, positive
from flowzoo.cli.writing import add_json, print_json

NAME, HELP = "evaluate", "Measure a preset, or a training of your own, on a split of its data set."
EXAMPLES = """
  flowzoo evaluate glow-mnist
  flowzoo evaluate --workdir=runs/mine --split=validation --limit=1000 --json
"""
TENSORFLOW = True


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add_preset(parser, nargs="?")
    parser.add_argument("--workdir", metavar="DIR", help="the best weights of a training, instead of a preset")
    parser.add_argument("--split", default="test", help="train, validation, test or another of the data set's (test)")
    parser.add_argument("--draws", type=positive, default=1, help="noise draws of the importance-weighted bound (1)")
    add_noise_seed(parser)
    parser.add_argument("--limit", type=positive, metavar="N", help="only the first N examples")
    what = "examples per call; no effect on the numbers (128)"
    parser.add_argument("--batch-size", type=positive, default=128, metavar="N", help=what)
    add_data_dir(parser)
    add_json(parser, "what was measured")


def run(args: argparse.Namespace) -> int:
    """Measure and print."""
    from flowzoo.zoo.evaluate import evaluate

    how = {key: getattr(args, key) for key in ("draws", "seed", "limit", "batch_size", "data_dir")}
    measured = evaluate(args.preset, args.workdir, args.split, **how, progress=True)
    if args.json:
        print_json(measured)
        return 0
    error = measured["standard_error"]
    print(
        "{metric} {value:.4f}{error} on {examples:,} examples of {split} ({kind}, draws {draws}, seed {seed})".format(
            error="" if error is None else f" ± {error:.4f}", **measured
        )
    )
    if measured["non_finite"]:
        print(f"{measured['non_finite']} examples have no finite likelihood: `flowzoo diagnose` says where to look")
    return 0
