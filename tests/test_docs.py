"""The Python examples of README.md, docs/ and examples/ run, in order, as a reader would type them."""

import re
import subprocess
import sys
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


def test_a_search_keeps_its_own_process_free_of_tensorflow():
    """`search.py` fails if TensorFlow is in it; a trial takes the seconds of an import, so that there is one."""
    command = [sys.executable, str(ROOT / "examples" / "search.py"), "1"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(r"depth 1: -?\d+\.\d{3} nats\n", done.stdout)


def test_readme_has_five_examples():
    assert (ROOT / "README.md").read_text().count("```python") == 5


def test_links_lead_somewhere():
    for page in [*PAGES, *(ROOT / "docs").glob("*/*.md"), ROOT / "CONTRIBUTING.md", ROOT / "MODEL_CARDS.md"]:
        for target in re.findall(r"\]\((?!http)([^)#]+)\)|src=\"([^\"]+)\"", page.read_text()):
            link = next(filter(None, target))
            assert (page.parent / link).exists(), f"{page.name} links to {link}, which is not there"
