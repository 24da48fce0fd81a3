r"""Train with several processes on this machine, restarted together when one dies.

python tools/launch.py --workers=2 --logs=LOGS -- \
    python tools/train.py --strategy=multiworker --preset=NAME --workdir=DIR
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # works from a checkout, installed or not

from absl import app, flags, logging

WORKERS = flags.DEFINE_integer("workers", 2, "How many processes.", lower_bound=1)
LOGS = flags.DEFINE_string("logs", None, "Folder for worker-<i>.log.", required=True)
RESTARTS = flags.DEFINE_integer("restarts", 3, "How often all are started again when one dies.", lower_bound=0)
STALL_MINUTES = flags.DEFINE_float("stall_minutes", 30.0, "A worker that takes no step for this long counts as dead.")
GRACE_SECONDS = flags.DEFINE_float("grace_seconds", 60.0, "How long workers may take to end before they are killed.")
flags.register_validator(STALL_MINUTES, lambda minutes: minutes > 0, "must be more than 0.")  # nan is not
flags.register_validator(GRACE_SECONDS, lambda seconds: seconds >= 0, "must be at least 0.")


def main(argv):
    if len(argv) < 2:
        raise app.UsageError("Give the command of a worker after `--`.")
    from flowzoo.training.distributed.launch import launch

    logging.set_verbosity(logging.INFO)
    try:
        code = launch(
            argv[1:],
            WORKERS.value,
            LOGS.value,
            restarts=RESTARTS.value,
            stall_minutes=STALL_MINUTES.value,
            grace_seconds=GRACE_SECONDS.value,
        )
    except OSError as error:
        logging.error("The workers can't be started: %s. Give a command that runs here after `--`.", error)
        return 2
    if code:
        logging.error("Ended with %d; the reason is in %s.", code, LOGS.value)
    return code if code >= 0 else 128 - code  # as a shell does


if __name__ == "__main__":
    app.run(main)
