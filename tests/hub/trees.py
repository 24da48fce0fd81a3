"""Small presets with files for tests of hubs: no flow, just bytes with the right hashes."""

import hashlib
import random
from pathlib import Path

from flowzoo.hub import store
from flowzoo.hub.presets import read_preset
from flowzoo.record.preset import Preset
from flowzoo.zoo import publish_hub
from tests.record import records

SIZE = 200_000  # bytes of the weights


def publish(folder: Path, revision: int = 1, name: str = "tiny") -> Path:
    """Writes `<folder>/<name>.json` and its files as a publication leaves them; returns the path of the JSON."""
    record = records.published() | {"name": name, "revision": revision}
    (folder / name).mkdir(parents=True, exist_ok=True)
    for file, entry in record["files"].items():
        size = SIZE if file.endswith(".h5") else 100
        content = random.Random(f"{name} {revision} {file}").randbytes(size)
        (folder / name / file).write_bytes(content)
        entry |= {"sha256": hashlib.sha256(content).hexdigest(), "bytes": size}
    Preset.from_dict(record).write(folder / f"{name}.json")
    return folder / f"{name}.json"


def tree(folder: Path, revisions=(1, 2)) -> Path:
    """Writes a hub with these revisions of "tiny"; returns its root."""
    for revision in revisions:
        publish_hub._write([publish(folder / f"revision-{revision}", revision)], folder / "hub")
    return folder / "hub"


def weights(wanted: str = "tiny@1") -> Path:
    """Reads a preset and gets its weights, as `flowzoo.load` does before it builds the flow."""
    return store.checked_file(read_preset(wanted), store.folder(wanted))


def content(revision: int = 1) -> bytes:
    """What the weights of "tiny" must be."""
    return random.Random(f"tiny {revision} {store.WEIGHTS}").randbytes(SIZE)


def digest(revision: int = 1) -> str:
    """The sha256 of these weights, by which a hub addresses them."""
    return hashlib.sha256(content(revision)).hexdigest()
