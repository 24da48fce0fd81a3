"""The families and their options as a page, docs/families.md, from the classes alone."""

from collections.abc import Collection
from typing import Any

from flowzoo.cards.templates import render
from flowzoo.families.family import FAMILIES, Family
from flowzoo.families.options import Options, fields

PAGE = "docs/families.md"


def options_page() -> str:
    """The whole page."""
    shared = {name: field for name, field in fields(Options).items() if name != "event_shape"}
    return render("families", shared=shared, families=[_facts(*item, shared) for item in FAMILIES.items()])


def _facts(name: str, family: type[Family], shared: Collection[str]) -> dict[str, Any]:
    text, _, rest = family.__doc__.partition("\n\nArgs:\n")
    _, word, references = rest.partition("\nReference")
    return {
        "name": name,
        "title": family.__name__,
        "text": text,
        "reference": f"{word}{references}".strip(),
        "options": {option: field for option, field in fields(family.Options).items() if option not in shared},
    }
