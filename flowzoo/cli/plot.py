"""`flowzoo plot WHAT...`: the curves of trainings."""

import argparse
from pathlib import Path

NAME, HELP = "plot", "Draw the curves of trainings, also of running ones: likelihood and learning rate."
TENSORFLOW = False


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    what = "work folder of tools/train.py, history.csv, or preset with weights; several are drawn together"
    parser.add_argument("what", nargs="+", metavar="WHAT", help=what)
    default = "curves.png in the first work folder, else here"
    parser.add_argument("--out", metavar="FILE", help=f"the picture, a .png file ({default})")


def run(args: argparse.Namespace) -> int:
    """Read the histories, draw them, and say where."""
    from flowzoo.zoo.curves import read_history, write_curves

    folder = Path(args.what[0])
    out = args.out or str(folder / "curves.png" if folder.is_dir() else Path("curves.png"))
    if not out.endswith(".png"):
        raise ValueError(f"--out must end in .png, got {out!r}.")
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
    from flowzoo.errors import PresetError
    from flowzoo.zoo import store
    from flowzoo.zoo.preset import Preset

    try:
        return store.checked_file(Preset.read(what), store.folder(what), "history.csv")
    except PresetError as error:
        raise ValueError(
            f"WHAT must be a work folder, a history.csv or a preset, got {what!r}, which is no folder here: {error}"
        ) from error


def _label(what: str, taken: dict) -> str:
    path = Path(what).resolve() if Path(what).exists() else Path(what)
    name = path.parent.name if path.name == "history.csv" else path.stem
    return what if name in taken else name
