"""Hooks of MkDocs: pages of docs/ link to files of the checkout; the site gets those that it can show."""

import posixpath
import re
from pathlib import Path

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[1]
TEXTS = ("CHANGELOG.md", "CONTRIBUTING.md", "benchmarks/README.md")
TEXT = r"\[(?P<text>(?:[^\[\]]|!\[[^\]]*\]\([^)]*\))*)\]"  # of a link; it may be an image
TARGET = r"\((?P<target>[^)\s#:]+)(?P<anchor>#[^)\s]*)?\)"  # no address of another site


def on_files(files: Files, config) -> Files:
    """Adds the images of the presets and the texts beside docs/."""
    images = [path.relative_to(ROOT).as_posix() for path in sorted(ROOT.glob("checkpoints/*/samples.*"))]
    images += [path.relative_to(ROOT).as_posix() for path in sorted(ROOT.glob("checkpoints/*/interpolations.png"))]
    for name in (*TEXTS, *images):
        files.append(File.generated(config, name, abs_src_path=str(ROOT / name)))
    return files


def on_page_markdown(markdown: str, page, config, files: Files) -> str:
    """Makes a link that leaves docs/ one within the site, or, where the site lacks the file, its name only."""
    place = page.file.src_uri
    here = posixpath.dirname(place if place in TEXTS else posixpath.join("docs", place))

    def within(target: str) -> str:
        wanted = posixpath.normpath(posixpath.join(here, target))
        inside = wanted.removeprefix("docs/")
        if files.get_file_from_path(inside) is None:
            if not (ROOT / wanted).exists():
                return target  # MkDocs warns
            return ""
        return posixpath.relpath(inside, posixpath.dirname(place) or ".")

    def link(match: re.Match) -> str:
        text, target = re.sub(TEXT + TARGET, link, match["text"]), within(match["target"])  # an image may be a link
        return f"[{text}]({target}{match['anchor'] or ''})" if target else text

    return re.sub(TEXT + TARGET, link, markdown)


def on_page_content(html: str, page, config, files: Files) -> str:
    """Puts a player before each link to a file of sound."""
    return re.sub(r'<a href="([^"]+\.wav)">', r'<audio controls src="\1"></audio> <a href="\1">', html)
