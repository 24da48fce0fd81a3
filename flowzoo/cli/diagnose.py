"""`flowzoo diagnose NAME`: how well each layer inverts; of a model with a latent, how it is used."""

import argparse

from flowzoo.cli.common import add_files, add_noise_seed, add_preset, files_read, positive
from flowzoo.cli.conditions import add_condition, condition_of
from flowzoo.cli.score import FILES
from flowzoo.cli.writing import add_json, check_out, print_json

NAME = "diagnose"
HELP = "Look at every layer: does it invert, how far does it stretch; or at the latents. Exit code 1 if not finite."
EXAMPLES = """
  flowzoo diagnose glow-mnist --plot=layers.png
  flowzoo diagnose planar-rezende-u1 far-out.csv --json
  flowzoo diagnose vae-mnist-binary --rows=64
"""
LAYERS, LATENTS = 16, 256  # rows that are enough
TENSORFLOW = True


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add_preset(parser)
    add_files(parser, f"{FILES}; if not given, test images shipped with flowzoo, or samples", nargs="*")
    usual = f"only the first N examples ({LAYERS}; {LATENTS} for latents)"
    parser.add_argument("--rows", type=positive, metavar="N", help=usual)
    add_condition(parser)
    add_noise_seed(parser)
    parser.add_argument("--plot", metavar="FILE", help="also draw the report, a .png file")
    add_json(parser, "the report")


def run(args: argparse.Namespace) -> int:
    """Examine and report; 1 where a layer gives what is not finite."""
    check_out(args.plot, (".png",), files_read(args), option="--plot")
    import flowzoo
    from flowzoo.cli import reading
    from flowzoo.hub.presets import read_preset
    from flowzoo.measure.examples import inputs

    flow = flowzoo.load(args.preset)
    if args.files:
        x, files = reading.read(args.files, reading.data(flow), args.columns)
        condition, what = condition_of(flow, args, len(x)), f"examples of {files[0]}"
    else:
        (x, condition), what = inputs(read_preset(args.preset), flow)
    look, usual = (flowzoo.diagnose_latents, LATENTS) if "posterior" in flow.offers else (flowzoo.diagnose, LAYERS)
    rows = slice(args.rows or usual)
    x, condition = x[rows], flow.condition.rows(condition, rows)
    report = look(flow, x, condition, seed=args.seed, progress=True)
    if args.plot:
        report.plot(args.plot)
    if args.json:
        print_json(report.as_dict() | {"rows": len(x), "on": what})
    else:
        print(f"{args.preset} on {len(x)} {what}\n{report}")
    return 0 if report.finite else 1
