"""All tests of the command line run in an empty folder, and without prepared data sets."""

import pytest


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """Run in an empty folder, and without prepared data sets."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "no-data"))
