"""The form of a hub: a static tree of `index.json` and files that are named by their sha256.

index.json                  {"schema": 1, "presets": {name: {revision: {"sha256", "bytes", "files": {file: ...}}}}}
sha256/<ab>/<digest>        a preset's JSON, or one of its files; <ab> begins <digest>
"""

from typing import Annotated, Any

from flowzoo.core.errors import PresetError
from flowzoo.record.schema import parse_json
from flowzoo.record.types import Bytes, File, Name, Sha256, check, keys, text, whole

INDEX, SCHEMA = "index.json", 1
LIMIT = 2**23  # bytes of an index; a revision takes about 600

REVISION = r"[1-9][0-9]{0,8}"
Revision = Annotated[str, text(REVISION, "a number from 1")]
RECORD = keys(sha256=Sha256, bytes=Bytes, files=dict[Name, File])  # of the preset's JSON, and of each of its files
KEYS = keys(schema=Annotated[int, whole(1, SCHEMA)], presets=dict[Name, dict[Revision, RECORD]])

Revisions = dict[str, dict[str, dict[str, Any]]]  # name -> revision -> record


def address(digest: str) -> str:
    """Where in a hub the file with this sha256 lies."""
    return f"sha256/{digest[:2]}/{digest}"


def parse(content: bytes, source: str) -> Revisions:
    """The revisions in an index file.

    Args:
        content: of the file.
        source: where it came from, for messages.

    Raises:
        PresetError: it is not an index, or one of a later flowzoo.
    """
    data = parse_json(content, source, LIMIT)
    schema = data.get("schema") if isinstance(data, dict) else None
    if type(schema) is int and schema > SCHEMA:
        raise PresetError(f"{source}: expected an index of schema {SCHEMA}, got {schema}. Install a later flowzoo.")
    check(data, KEYS, source)
    return data["presets"]
