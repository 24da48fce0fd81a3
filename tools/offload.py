"""Train on a device that JAX reaches and TensorFlow does not, see docs/distributed.md.

python tools/offload.py --workdir=DIR --export=PROGRAM      where TensorFlow is: writes the program of a begun training
python tools/offload.py --workdir=DIR --run=PROGRAM         where JAX is: continues with a copy of DIR
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # works from a checkout, installed or not

from absl import app, flags, logging

WORKDIR = flags.DEFINE_string("workdir", None, "Work folder of the training.", required=True)
EXPORT = flags.DEFINE_string("export", None, "Folder to write the program to.")
RUN = flags.DEFINE_string("run", None, "Folder of the program to run.")
STEPS_PER_CALL = flags.DEFINE_integer("steps_per_call", 50, "--export: steps per call, at most an epoch's.")
LAST_STEP = flags.DEFINE_integer("last_step", None, "--run: pause here; the schedule remains the recipe's.")
MINUTES = flags.DEFINE_float("minutes", None, "--run: change the recipe's steps to what fits into this many minutes.")
SAVE_MINUTES = flags.DEFINE_float("save_minutes", 5.0, "--run: minutes between states.")
flags.mark_flags_as_mutual_exclusive(["export", "run"], required=True)


def main(argv):
    if len(argv) > 1:
        raise app.UsageError(f"Unexpected arguments {argv[1:]}: give flags as --name=value.")
    logging.set_verbosity(logging.INFO)
    try:
        if EXPORT.value:
            from flowzoo.training.offload import program  # TensorFlow

            print(program.export(WORKDIR.value, EXPORT.value, STEPS_PER_CALL.value))
        else:
            from flowzoo.training.offload import jobs

            limits = {"last_step": LAST_STEP.value, "minutes": MINUTES.value, "save_minutes": SAVE_MINUTES.value}
            print(f"state of step {jobs.run(WORKDIR.value, RUN.value, **limits)}")
    except (ValueError, OSError, ArithmeticError, RuntimeError, ImportError) as error:
        sys.exit(f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    app.run(main)
