"""Keeps TensorFlow's start-up notes from hiding the output of a command."""

import os
import sys
import tempfile


def import_tensorflow() -> None:
    """Import TensorFlow without its notes on the terminal; they are shown if it fails.

    They are written by native code before any log level is read, so only the file descriptor can hold them back.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if sys.stderr is None:  # it was closed: no terminal to keep anything from
        return
    sys.stderr.flush()
    terminal = os.dup(2)
    with tempfile.TemporaryFile() as notes:
        os.dup2(notes.fileno(), 2)
        try:
            import tensorflow  # noqa: F401 - for its notes
        except Exception:
            notes.seek(0)
            os.write(terminal, notes.read())
            raise
        finally:
            os.dup2(terminal, 2)
            os.close(terminal)
