"""The families and their options as a page, docs/families.md, from the classes alone."""

import dataclasses

from flowzoo.cards.table import table
from flowzoo.families.family import FAMILIES, Family
from flowzoo.families.options import Options, fields

PAGE = "docs/families.md"
START = """# Families and their options

Written by `python tools/make_cards.py` from `flowzoo/families`; do not edit. `flowzoo.create(name, depth=8)` makes an
untrained flow of a family; the options are keywords, checked before anything is built.

## What all families take

`standardize` is True in `flowzoo.create`, unless it is given. With it, or with `bounds`, x is float64.
"""


def options_page() -> str:
    """The whole page."""
    shared = {name: field for name, field in fields(Options).items() if name != "event_shape"}
    sections = (_section(name, family, shared) for name, family in FAMILIES.items())
    return "\n".join([START, _table(shared), *sections])


def _section(name: str, family: type[Family], shared: dict[str, dataclasses.Field]) -> str:
    text, _, rest = family.__doc__.partition("\n\nArgs:\n")
    references = rest.partition("\nReference")[2]
    parts = [f"## {family.__name__}", f'`flowzoo.create("{name}")`. {text}']
    parts += [f"Reference{references}".rstrip()] if references else []
    own = {option: field for option, field in fields(family.Options).items() if option not in shared}
    return "\n\n".join([*parts, _table(own)])


def _table(options: dict[str, dataclasses.Field]) -> str:
    rows = [
        (f"`{name}`", f"`{field.default!r}`", str(field.metadata.get("check") or ""), field.metadata.get("doc", ""))
        for name, field in options.items()
    ]
    return table(("option", "default", "values", "what it is"), rows)
