"""`flowzoo train NAME --workdir=DIR`: train a preset by its recipe, or resume its training."""

import argparse

from flowzoo.cli.common import Failed, add_preset, natural, positive
from flowzoo.cli.writing import add_json, print_json

NAME, HELP = "train", "Train a preset by its recipe, or resume where a training stopped or was killed."
EXAMPLES = """
  flowzoo train glow-mnist --workdir=runs/mine --smoke
  flowzoo train mine.json --workdir=runs/mine --max-minutes=60
"""
TENSORFLOW = True
OPTIONS = (  # of `flowzoo.training.run`
    *("max_steps", "max_minutes", "save_minutes", "smoke", "deterministic", "init_from"),
    *("backprop", "accumulate", "strategy", "devices", "tpu"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add_preset(parser)
    parser.add_argument("--workdir", metavar="DIR", required=True, help="folder for state, logs and weights")
    what = "pause here, counted over all stages, 0 before the first step; the schedule remains the recipe's"
    parser.add_argument("--max-steps", type=natural, metavar="N", help=what)
    parser.add_argument("--max-minutes", type=float, metavar="M", help="pause after this many minutes")
    parser.add_argument("--save-minutes", type=float, default=5.0, metavar="M", help="minutes between states (5)")
    parser.add_argument("--smoke", action="store_true", help="a few tiny steps, to see whether everything runs")
    parser.add_argument("--deterministic", action="store_true", help="same seed and machine, same bits; slower")
    what = "start from the weights of a preset, a .weights.h5 or a work folder, without the stages before the last"
    parser.add_argument("--init-from", metavar="WHAT", help=what)
    modes, what = ("store", "remat", "reversible"), "less memory for more time; see docs/memory.md (store)"
    parser.add_argument("--backprop", choices=modes, default="store", help=what)
    what = "micro-batches that make one batch; for less memory (1)"
    parser.add_argument("--accumulate", type=positive, default=1, metavar="N", help=what)
    kinds, what = ("one", "mirrored", "multiworker", "tpu"), "which devices; see docs/distributed.md"
    parser.add_argument("--strategy", choices=kinds, help=what)
    parser.add_argument("--devices", type=positive, metavar="N", help="of mirrored: this many GPUs, or logical CPUs")
    parser.add_argument("--tpu", metavar="NAME", help="of tpu: name or address; local on a TPU VM")
    add_json(parser, "the result")


def run(args: argparse.Namespace) -> int:
    """Train; a training that fails is one line and exit code 1."""
    from absl import logging

    from flowzoo import training
    from flowzoo.hub.presets import read_preset
    from flowzoo.training.distributed.launch import INTERRUPTED, PEER_LOST

    logging.use_absl_handler()
    logging.set_verbosity(logging.INFO)
    options = {option: getattr(args, option) for option in OPTIONS}
    try:
        result = training.run(read_preset(args.preset), args.workdir, **options)
    except training.PeerLost as error:
        logging.error("%s", error)
        return PEER_LOST
    except (training.StateError, training.NonFiniteLoss, training.ChiefError) as error:
        raise Failed(str(error)) from error
    if args.json:
        print_json({"stopped": result.stopped, "step": result.step, "best": result.best, "workdir": args.workdir})
    else:
        print(f"{result.stopped} at step {result.step}; best validation {result.best}")
    return INTERRUPTED if result.stopped == "signal" else 0
