"""The libraries that `all.py` compares, each in a process of its own, asked in turn."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path

import apart
from protocol import PEERS

OURS = "flowzoo"
SCRIPTS = {
    OURS: "flowzoo_calls.py",
    "FlowJAX": "flowjax_calls.py",
    "zuko": "torch_calls.py",
    "normflows": "torch_calls.py",
}
HERE = Path(__file__).resolve().parent


class Libraries:
    """The processes and what they answered.

    Args:
      models: keys of `PEERS`.
      at_least: seconds of each call, in each round.
      stack: ends the processes.

    Attributes:
      seconds: per call, or per epoch, in each round, by (library, model, call, size).
    """

    def __init__(self, models: Sequence[str], at_least: float, stack: contextlib.ExitStack):
        names = dict.fromkeys([OURS, *(peer for model in models for peer in PEERS[model])])
        self.at_least = at_least
        self.processes = {name: stack.enter_context(apart.Process(HERE / SCRIPTS[name])) for name in names}
        self.seconds: dict[tuple[str, str, str, int], list[float]] = {}

    def ask(self, model: str, call: str, size: int, names: Sequence[str]) -> None:
        """Asks each library that is left; a peer that fails is left out from then on, with a message.

        Raises:
          apart.Failed: flowzoo failed.
        """
        for name in [name for name in names if name in self.processes]:
            try:
                taken = self.processes[name].ask([model, call, size, self.at_least])
            except apart.Failed as problem:
                if name == OURS:
                    raise
                print(f"{name} failed, and is left out: {model} {call}\n{problem}", flush=True)
                del self.processes[name]
                continue
            self.seconds.setdefault((name, model, call, size), []).append(taken)
            print(f"{model:14} {call:18} {size:6} {name:10} {taken:10.5f} s", flush=True)

    @property
    def rounds(self) -> int:
        """How many there were, at most, of any call."""
        return max(map(len, self.seconds.values()))

    def pairs(self, peer: str, model: str, call: str, size: int, theirs: str = "") -> list[tuple[float, float]]:
        """Our seconds and a peer's in each round; [] if it was left out of any. `theirs` is its name of the call."""
        named = (OURS, model, call, size), (peer, model, theirs or call, size)
        ours, others = (self.seconds.get(each, []) for each in named)
        return list(zip(ours, others, strict=True)) if len(ours) == len(others) else []
