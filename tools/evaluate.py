"""Measure a trained flow: python tools/evaluate.py --preset=NAME, or --workdir=DIR for a training of your own."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # works from a checkout, installed or not

from flowzoo.cli import evaluate, tool

if __name__ == "__main__":
    tool.run(evaluate)
