"""Train a preset, or resume its training: python tools/train.py --preset=NAME --workdir=DIR."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # works from a checkout, installed or not

from flowzoo.cli import tool, train

if __name__ == "__main__":
    tool.run(train)
