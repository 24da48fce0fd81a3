"""Write MODEL_CARDS.md and the README's table of presets from `flowzoo/zoo/presets`."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # works from a checkout, installed or not

from absl import app  # noqa: E402

from flowzoo.files import write_atomic  # noqa: E402
from flowzoo.zoo.markdown import markdown_cards, readme_with_table  # noqa: E402
from flowzoo.zoo.preset import Preset, list_presets  # noqa: E402


def main(argv: list[str]) -> None:
    """Write both files."""
    if len(argv) > 1:
        raise app.UsageError(f"expected no arguments, got {argv[1:]}.")
    presets = [Preset.read(name) for name in list_presets()]
    write_atomic(ROOT / "MODEL_CARDS.md", markdown_cards(presets).encode())
    readme = ROOT / "README.md"
    write_atomic(readme, readme_with_table(readme.read_text(encoding="utf-8"), presets).encode())
    print(f"MODEL_CARDS.md and README.md: {len(presets)} presets")


if __name__ == "__main__":
    app.run(main)
