"""A search over flows whose memory does not grow: each trial runs in its own process.

python examples/search.py DEPTH... prints, for each depth, the mean log-likelihood in nats.

Until a process ends, Keras and TensorFlow keep some of what each trained model made. The searching process does not
even import TensorFlow.
"""

import multiprocessing
import sys


def trial(depth: int) -> float:
    """The mean log-likelihood, in nats, of a flow of this depth on points it was not trained on."""
    import numpy as np

    import flowzoo

    x = np.random.default_rng(0).gamma(2.0, size=(512, 2)).astype("float32")
    flow = flowzoo.create("realnvp", depth=depth, hidden=16, seed=0)
    flow.compile("adam")
    flow.fit(x[:384], epochs=1, verbose=0)
    return float(flow.score(x[384:]).mean())


if __name__ == "__main__":
    depths = [int(depth) for depth in sys.argv[1:]]
    # "spawn", since a fork of a process that has run TensorFlow may hang; a new process after each trial
    with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
        for depth, score in zip(depths, pool.imap(trial, depths), strict=True):
            print(f"depth {depth}: {score:.3f} nats")
    if "tensorflow" in sys.modules:
        raise SystemExit("expected no TensorFlow in the process that searches: import it in the trial")
