"""Where a preset's files lie, and the check of their size and sha256 before anything reads them."""

from pathlib import Path

from flowzoo.errors import CheckpointError
from flowzoo.files import sha256
from flowzoo.zoo.preset import Preset

WEIGHTS = "model.weights.h5"
DEMO = "glow-fashion-mnist"  # the only one with weights in a slim install
INSTALLED = Path(__file__).parent / "checkpoints"
CHECKOUT = Path(__file__).parents[2] / "checkpoints"


def folder(name_or_path: str | Path) -> Path:
    """The folder with the big files of a preset, whether it exists or not.

    Args:
        name_or_path: what `Preset.read` takes. Of flowzoo's own presets the files are installed with the package or lie
            in the checkout's `checkpoints/<name>`; those of a preset in `<dir>/<name>.json` lie in `<dir>/<name>`.
    """
    if str(name_or_path).endswith(".json"):
        return Path(name_or_path).with_suffix("")
    editable = CHECKOUT.is_dir() and not INSTALLED.is_dir()
    return (CHECKOUT if editable else INSTALLED) / str(name_or_path)


def left_out(where: Path) -> bool:
    """Whether `where` is a `folder` of flowzoo's own weights that a slim install (FLOWZOO_SLIM=1) leaves out."""
    return where.parent == INSTALLED and where.name != DEMO and not where.is_dir()


def checked_file(preset: Preset, where: Path, file: str = WEIGHTS) -> Path:
    """The path of one of a preset's files, once its size and sha256 are what the preset says.

    Args:
        preset: the record of sizes and hashes.
        where: `folder` of that preset.
        file: name of the file.

    Raises:
        CheckpointError: the preset has no weights yet, or the file is missing, cut or altered.
    """
    if preset.files is None or file not in preset.files:
        why = " and will have none: it is a recipe only" if preset.recipe_only else ""
        raise CheckpointError(
            f"{preset.name} has no published {file}{why}. Train it with `python tools/train.py --preset={preset.name} "
            "--workdir=DIR`, or load it with weights=False."
        )
    path, expected = where / file, preset.files[file]
    if not path.is_file():
        raise CheckpointError(f"{preset.name}: {file} is missing, expected it in {where}. {_mend(where)}")
    size = path.stat().st_size
    if size != expected["bytes"]:
        raise CheckpointError(f"{preset.name}: {path} must have {expected['bytes']} bytes, got {size}. {_mend(where)}")
    digest = sha256(path)
    if digest != expected["sha256"]:
        raise CheckpointError(
            f"{preset.name}: {path} must have sha256 {expected['sha256']}, got {digest}. {_mend(where)}"
        )
    return path


def _mend(where: Path) -> str:
    if left_out(where):
        return "A slim install holds the demo preset only: install from a clone without FLOWZOO_SLIM."
    if where.parent == INSTALLED:
        return "Install flowzoo again."
    if where.parent == CHECKOUT:
        return "Restore it with `git checkout checkpoints`."
    return "Put the file that was published there, or load the preset with weights=False."
