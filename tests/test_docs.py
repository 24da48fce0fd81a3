"""The Python examples of README.md and docs/ run, in order, as a reader would type them."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
WITH_EXAMPLES = [page for page in PAGES if "```python" in page.read_text()]


@pytest.mark.parametrize("page", WITH_EXAMPLES, ids=lambda page: page.name)
def test_examples_run(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = page.read_text()
    namespace = {}
    for block in re.finditer(r"```python\n(.*?)```", text, re.DOTALL):
        line = text[: block.start()].count("\n") + 1
        exec(compile("\n" * line + block.group(1), str(page), "exec"), namespace)


def test_readme_has_five_examples():
    assert (ROOT / "README.md").read_text().count("```python") == 5


def test_links_lead_somewhere():
    for page in [*PAGES, *(ROOT / "docs").glob("*/*.md"), ROOT / "CONTRIBUTING.md", ROOT / "MODEL_CARDS.md"]:
        for target in re.findall(r"\]\((?!http)([^)#]+)\)|src=\"([^\"]+)\"", page.read_text()):
            link = next(filter(None, target))
            assert (page.parent / link).exists(), f"{page.name} links to {link}, which is not there"
