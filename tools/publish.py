"""Publish a finished training run under its preset, or presets with weights to a hub (docs/hub.md).

python tools/publish.py --preset=glow-fashion-mnist --workdir=runs/glow-fashion-mnist
python tools/publish.py --preset=glow-mnist,realnvp-mnist --hub=hub
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # works from a checkout, installed or not

from flowzoo.cli import publish, tool

if __name__ == "__main__":
    tool.run(publish)
