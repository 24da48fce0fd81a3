"""Pages in Markdown from the Jinja2 templates that lie in `templates/`."""

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

_ENVIRONMENT = Environment(
    loader=FileSystemLoader(Path(__file__).with_name("templates")),
    autoescape=False,  # Markdown, not HTML
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)


def render(template: str, **values: Any) -> str:
    """The page that a template, `templates/<template>.md.jinja`, makes of values."""
    return _ENVIRONMENT.get_template(f"{template}.md.jinja").render(values)
