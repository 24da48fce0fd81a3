"""`flowzoo publish NAME...`: a training becomes a preset's weights, or presets go to a hub."""

import argparse

from flowzoo.cli.common import add_data_dir, positive

NAME, HELP = "publish", "Publish a training under its preset (--workdir), or presets with weights to a hub (--hub)."
EXAMPLES = """
  flowzoo publish mine.json --workdir=runs/mine
  flowzoo publish glow-mnist realnvp-mnist --hub=hub
"""
TENSORFLOW = False  # a hub does not need it


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("presets", nargs="+", metavar="NAME", help="a preset of `flowzoo list`, or a .json")
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--workdir", metavar="DIR", help="folder of a finished training, of one NAME; docs/training.md")
    where.add_argument("--hub", metavar="DIR", help="root of the hub, made if need be; docs/hub.md")
    what = "--workdir: publish what is unfinished, of another recipe, or worse"
    parser.add_argument("--force", action="store_true", help=what)
    what = "--workdir: only so many test examples; needs --force"
    parser.add_argument("--examples", type=positive, metavar="N", help=what)
    add_data_dir(parser)


def run(args: argparse.Namespace) -> int:
    """Publish, and show what is there now."""
    if args.hub:
        if args.force or args.examples or args.data_dir:
            raise ValueError("--force, --examples and --data-dir go with --workdir, got --hub. Leave them out.")
        from flowzoo.zoo.hub import write_tree

        for name, revisions in sorted(write_tree(args.presets, args.hub).items()):
            print(f"{name}: revisions {', '.join(sorted(revisions, key=int))}")
        return 0
    if len(args.presets) > 1:
        raise ValueError(f"--workdir is the training of one preset, got {len(args.presets)}. Publish one at a time.")
    from flowzoo.cli.quiet import import_tensorflow

    if not args.debug:
        import_tensorflow()
    from flowzoo.zoo.card import summary
    from flowzoo.zoo.publish import publish

    options = {"force": args.force, "examples": args.examples, "data_dir": args.data_dir}
    print(summary(publish(args.presets[0], args.workdir, **options)))
    return 0
