"""`flowzoo publish NAME...`: a training becomes a preset's weights, or presets go to a hub."""

import argparse

from flowzoo.cli.common import add_data_dir, positive
from flowzoo.cli.writing import add_json, print_json

NAME, HELP = "publish", "Publish a training under its preset (--workdir), or presets with weights to a hub (--hub)."
EXAMPLES = """
  flowzoo publish mine.json --workdir=runs/mine
  flowzoo publish glow-mnist realnvp-mnist --hub=hub
  flowzoo publish --all --hub=hub --data-dir=/data/tfds
"""
TENSORFLOW = True


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("presets", nargs="*", metavar="NAME", help="a preset of `flowzoo list`, or a .json")
    parser.add_argument("--all", action="store_true", help="--hub: every preset with weights")
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--workdir", metavar="DIR", help="folder of a finished training, of one NAME; docs/training.md")
    where.add_argument("--hub", metavar="DIR", help="root of the hub, created if needed; docs/hub.md")
    what = "--hub: trust the cards, whose numbers are else measured again on the test split"
    parser.add_argument("--no-verify", action="store_true", help=what)
    what = "--workdir: publish what is unfinished, of another recipe, or worse"
    parser.add_argument("--force", action="store_true", help=what)
    what = "--workdir: only this many test examples, at least 2; needs --force"
    parser.add_argument("--examples", type=positive, metavar="N", help=what)
    what = "--workdir: noise draws per example of a lower bound (1); more give a tighter one"
    parser.add_argument("--draws", type=positive, metavar="N", help=what)
    add_data_dir(parser)
    add_json(parser, "the new record, or the revisions in the hub")


def run(args: argparse.Namespace) -> int:
    """Publish, and show what is there now."""
    if args.hub:
        _to_hub(args)
    else:
        _from_training(args)
    return 0


def _to_hub(args: argparse.Namespace) -> None:
    if args.force or args.examples or args.draws:
        raise ValueError("--force, --examples and --draws go with --workdir, got --hub. Leave them out.")
    if bool(args.presets) == args.all:
        raise ValueError(f"expected presets or --all, got {'both' if args.all else 'neither'}. Pass one.")
    from flowzoo.hub.presets import list_presets
    from flowzoo.zoo.publish_hub import write_tree

    names, how = args.presets or list_presets(weights=True), {"data_dir": args.data_dir, "progress": True}
    revisions = write_tree(names, args.hub, verified=not args.no_verify, **how)
    if args.json:
        print_json({name: sorted(map(int, has)) for name, has in revisions.items()})
    else:
        for name, has in sorted(revisions.items()):
            print(f"{name}: revisions {', '.join(sorted(has, key=int))}")


def _from_training(args: argparse.Namespace) -> None:
    if args.all or args.no_verify:
        raise ValueError("--all and --no-verify go with --hub, got --workdir. Leave them out.")
    if len(args.presets) != 1:
        raise ValueError(f"--workdir is the training of one preset, got {len(args.presets)}. Publish one at a time.")
    from flowzoo.cards.card import summary
    from flowzoo.zoo.publish import publish

    how = {"draws": args.draws or 1, "examples": args.examples}
    options = how | {"force": args.force, "data_dir": args.data_dir, "progress": True}
    preset = publish(args.presets[0], args.workdir, **options)
    if args.json:
        print_json(preset.to_dict())
    else:
        print(summary(preset))
