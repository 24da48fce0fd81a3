"""`flowzoo plot WHAT...`: a flow as a plot, or the curves of trainings."""

import argparse
from pathlib import Path

from flowzoo.cli.common import add_label, positive
from flowzoo.cli.writing import check_out

NAME, HELP = "plot", "Draw a trained flow (density, samples), or the curves of trainings, also of running ones."
EXAMPLES = """
  flowzoo plot planar-rezende-u1
  flowzoo plot runs/mine runs/other --out=curves.png
  flowzoo plot glow-mnist realnvp-mnist --curves
  flowzoo plot ffjord-moons --trajectories
"""
TENSORFLOW = False  # curves don't need it


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    what = (
        "a preset with weights: images as a grid, 2-D vectors as density and samples, tables as a pair plot; or work "
    )
    what += "folders of `flowzoo train` and history.csv files: curves, drawn together"
    parser.add_argument("what", nargs="+", metavar="WHAT", help=what)
    parser.add_argument("--curves", action="store_true", help="the published curves of presets instead")
    parser.add_argument("--trajectories", action="store_true", help="the paths of samples through a continuous flow")
    parser.add_argument("--count", type=positive, metavar="N", help="samples to draw (64 images, 5,000 vectors)")
    add_label(parser)
    parser.add_argument("--temperature", type=float, default=1.0, metavar="T", help="scale of the latent noise (1.0)")
    parser.add_argument("--seed", type=int, default=0, help="the same seed draws the same samples (0)")
    default = "NAME.png here, or curves.png in the first work folder, else here"
    parser.add_argument("--out", metavar="FILE", help=f"the image, a .png file ({default})")


def run(args: argparse.Namespace) -> int:
    """Draw, and say where."""
    check_out(args.out, (".png",))
    if args.curves or any(Path(what).is_dir() or what.endswith(".csv") for what in args.what):
        if args.trajectories:
            raise ValueError("--trajectories draws a preset with weights, got curves to draw. Leave one of them out.")
        return _curves(args)
    if len(args.what) > 1:
        raise ValueError(f"WHAT must be one preset, got {len(args.what)}. Draw one at a time, or pass --curves.")
    return _flow(args)


def _flow(args: argparse.Namespace) -> int:
    from flowzoo.cli.quiet import import_tensorflow

    preset = _preset(args.what[0])
    if not args.debug:
        import_tensorflow()
    import flowzoo
    from flowzoo.cards.plots import usual_count, write_plot, write_trajectories

    flow, out = flowzoo.load(args.what[0]), args.out or f"{preset.name}.png"
    how = {"label": args.label, "temperature": args.temperature, "seed": args.seed}
    if args.trajectories:
        write_trajectories(flow, out, count=args.count or 200, **how)
        print(f"paths of samples of {preset.name} at T = {args.temperature:g}, seed {args.seed}: {out}")
        return 0
    count = args.count or usual_count(flow)
    write_plot(flow, out, target=flowzoo.data.density(preset.dataset["name"]), count=count, **how)
    print(f"{count} samples of {preset.name} at T = {args.temperature:g}, seed {args.seed}: {out}")
    return 0


def _curves(args: argparse.Namespace) -> int:
    from flowzoo.cards.curves import read_history, write_curves

    folder = Path(args.what[0])
    out = args.out or str(folder / "curves.png" if folder.is_dir() else Path("curves.png"))
    histories = {}
    for what in args.what:
        histories[_label(what, histories)] = read_history(_history(what))
    write_curves(histories, out)
    for name, history in histories.items():
        print(f"{name}: {len(history['step'])} validations to step {history['step'][-1]:.0f}")
    print(f"curves: {out}")
    return 0


def _history(what: str) -> Path:
    path = Path(what)
    if path.is_dir():
        if not (path / "history.csv").is_file():
            raise ValueError(
                f"{what}: no history.csv there. Is it a work folder, and has a first validation been made?"
            )
        return path / "history.csv"
    if path.suffix == ".csv":
        return path
    from flowzoo.hub import store

    return store.checked_file(_preset(what), store.folder(what), "history.csv")


def _preset(what: str):
    from flowzoo.core.errors import PresetError
    from flowzoo.hub.presets import read_preset

    try:
        return read_preset(what)
    except PresetError as error:
        raise ValueError(
            f"WHAT must be a work folder, a history.csv or a preset, got {what!r}, which is not a folder here: {error}"
        ) from error


def _label(what: str, taken: dict) -> str:
    path = Path(what).resolve() if Path(what).exists() else Path(what)
    name = path.parent.name if path.name == "history.csv" else path.stem
    return what if name in taken else name
