"""Write MODEL_CARDS.md, docs/models, the README's table from `flowzoo/zoo/presets`, and docs/families.md."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # works from a checkout, installed or not

from absl import app  # noqa: E402

from flowzoo.cards import card_figures  # noqa: E402
from flowzoo.cards.markdown import PAGES, markdown_cards, markdown_gallery, readme_with_table  # noqa: E402
from flowzoo.cards.options_page import PAGE, options_page  # noqa: E402
from flowzoo.cards.page import FIGURES, markdown_page  # noqa: E402
from flowzoo.core.files import write_atomic  # noqa: E402
from flowzoo.hub.presets import list_presets, read_preset  # noqa: E402


def main(argv: list[str]) -> None:
    """Write all of them, and delete what belongs to no preset."""
    if len(argv) > 1:
        raise app.UsageError(f"expected no arguments, got {argv[1:]}.")
    presets, folder, readme = [read_preset(name) for name in list_presets()], ROOT / PAGES, ROOT / "README.md"
    texts = {folder / f"{preset.name}.md": markdown_page(preset) for preset in presets}
    texts |= {folder / "index.md": markdown_gallery(presets), ROOT / "MODEL_CARDS.md": markdown_cards(presets)}
    texts[ROOT / PAGE] = options_page()
    texts[readme] = readme_with_table(readme.read_text(encoding="utf-8"), presets)
    figures = {}
    for preset in presets:
        figures |= {
            folder / name: drawing for name, drawing in card_figures.sources(preset, ROOT / "checkpoints").items()
        }
    for path, text in texts.items():
        write_atomic(path, text)
    for path, drawing in figures.items():
        card_figures.write(path, *drawing)
    for path in [*folder.glob("*.md"), *(folder / FIGURES).glob("*.png")]:
        if path not in texts and path not in figures:
            path.unlink()
    print(f"MODEL_CARDS.md, README.md, {PAGE} and {PAGES}: {len(presets)} presets")


if __name__ == "__main__":
    app.run(main)
