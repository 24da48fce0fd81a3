"""The refusal to compute in a forked process, which lacks TensorFlow's threads and would wait for them forever."""

import functools
import os

_forked = False


@functools.cache
def watch() -> None:
    """Marks the processes that are forked from this one from now on: it has a flow, so TensorFlow's threads run."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_note)


def refuse() -> None:
    """Raises `RuntimeError` in a process that was forked from one with a flow."""
    if _forked:
        raise RuntimeError(
            "A flow must be used in a process that was not forked from one that has run TensorFlow: computing would "
            'wait forever. Start it by multiprocessing.get_context("spawn"), and make or load the flow there.'
        )


def _note() -> None:
    global _forked
    _forked = True
