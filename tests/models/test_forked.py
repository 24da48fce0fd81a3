"""In a process that was forked from one with a flow TensorFlow would wait forever; there a flow says so instead."""

_FORK = """
import os
import numpy as np
import flowzoo
from flowzoo import flows

x, flow = np.zeros((4, 2), "float32"), flows.create("realnvp", event_shape=(2,), depth=1, hidden=2)
calls = {
    "score": lambda: flow.score(x),
    "sample": lambda: flow.sample(2),
    "encode": lambda: flow.encode(x),
    "fit": lambda: flow.fit(x, verbose=0),
    "evaluate": lambda: flow.evaluate(x, verbose=0),
    "predict": lambda: flow.predict(x, verbose=0),
    "call": lambda: flow(x),
    "load": lambda: flowzoo.load("iaf-rezende-u4"),
    "load_weights": lambda: flow.load_weights("none.weights.h5"),
    "distribution.log_prob": lambda: flow.distribution.log_prob(x),
    "distribution.sample": lambda: flow.distribution.sample(2),
    "bijector.forward": lambda: flow.bijector.forward(x),
    "bijector.inverse_log_det_jacobian": lambda: bijector.inverse_log_det_jacobian(x),
}
bijector = flow.bijector
print(*calls)
child = os.fork()
if not child:
    import signal
    for name, call in calls.items():
        signal.alarm(20)
        try:
            call()
        except RuntimeError as error:
            print(name, *str(error).split(), flush=True)
    os._exit(0)
print("child", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), len(flow.score(x)))
"""


def test_a_forked_process_is_told_and_does_not_hang(fresh_process):
    calls, *said, end = fresh_process(_FORK).splitlines()
    assert end == "child 0 4"  # and the parent computes as before
    assert [line.split()[0] for line in said] == calls.split()
    assert all('multiprocessing.get_context("spawn")' in line for line in said)
