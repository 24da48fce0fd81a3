"""Shared by all tests: quiet TensorFlow on one thread per worker, fresh processes, and memory given back."""

import collections
import ctypes
import gc
import multiprocessing
import os
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
for pool in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):  # the workers share the cores
    os.environ.setdefault(pool, "1")

os.environ["FLOWZOO_HOME"] = os.path.join(tempfile.gettempdir(), "no-cache-of-flowzoo")  # not the user's
os.environ.pop("FLOWZOO_HUB", None)

# the same examples in each run, and no timings: the machine may be busy
settings.register_profile(
    "flowzoo",
    max_examples=5,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("flowzoo")

gc.set_threshold(50_000, 20, 50)  # tracing makes millions of objects that stay: 6 % of the time went to looking at them

# Files of which all tests of a row, most often of tests/cases.py, go to one worker, one after another: they share what
# it has traced for the row, and its memory is given back after each.
BY_ROW = (
    "families/test_battery.py",
    "interop/test_bijector.py",
    "interop/test_distribution.py",
    "models/test_sampling.py",
    "models/test_training.py",
    "models/test_weights.py",
    "test_docs.py",
    "test_transform_battery.py",
)

LONGEST = (  # they start first, so that one worker does not end long after the other
    "test_transform_compiled.py",
    "models/test_compiled.py",
    "test_transform_battery.py",
    "training/test_kill.py",
    "test_docs.py",
    "training/test_launch.py",
    "training/test_strategy.py",
    "training/test_trainer.py",
    "families/test_battery.py",
    "test_properties.py",
    "serving/test_saved_model.py",
    "zoo/test_publish.py",
    "models/test_sampling.py",
    "models/test_training.py",
    "zoo/test_verify.py",
    "training/test_offload.py",
)


def group(nodeid):
    """What one worker runs in one go, and gives its memory back after: the tests of a row, or of a file."""
    file, _, rest = nodeid.partition("::")
    row = re.search(r"\[(?:check_\w+-)?(.+)\]$", rest)
    return f"row {row[1]}" if row and file.removeprefix("tests/") in BY_ROW else file


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    if config.getvalue("dist") != "loadgroup":
        return None
    from xdist.scheduler import LoadScopeScheduling

    class ByGroup(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            return group(nodeid)

        def schedule(self):
            super().schedule()
            super().schedule()  # a worker waits to run its last test until it has another: one test is too few to start

        def _reschedule(self, node):
            if node in self.registered_collections:  # a new worker may still collect when another one has
                super()._reschedule(node)

        def remove_node(self, node):
            if not _renewed(node):
                return super().remove_node(node)
            left = {name: tests for name, tests in self.assigned_work.pop(node).items() if not all(tests.values())}
            self.workqueue = collections.OrderedDict(left | self.workqueue)
            return None

    return ByGroup(config, log)


@pytest.hookimpl(tryfirst=True)  # before slow tests are deselected
def pytest_collection_modifyitems(items):
    cases = sys.modules.get("tests.cases")  # there are none of its rows if no test has imported it
    for item in items:
        if cases and getattr(item, "callspec", None) and item.callspec.params.get("name") in cases.VARIANTS:
            item.add_marker(pytest.mark.slow)
    places = {Path(__file__).parent / name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path, len(LONGEST)))


ROOM = 1500  # MiB that a worker may hold from one group to the next; rows that it keeps save tracing
MOST = 1900  # MiB with which a worker begins a test: one that holds more ends, and a new one takes its place
RENEWED = "this worker holds too much memory"  # why it ends


def _resident():
    """MiB of memory that this process holds; 0 where the system does not say."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20
    except OSError:
        return 0


def pytest_collection_finish(session):
    session.config.most = max(MOST, _resident() + 500)  # where TensorFlow itself takes more, as with a GPU's libraries
    gc.collect()
    gc.freeze()  # a million objects of TensorFlow are not looked at again each time


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item, nextitem):
    done = yield
    if nextitem is None or group(nextitem.nodeid) != group(item.nodeid):
        _give_memory_back()
    config = item.config
    if nextitem is not None and _resident() > config.most and getattr(config.option, "loadgroup", False):  # in a worker
        item.session.shouldstop = RENEWED
    return done


def pytest_sessionfinish(session):
    if session.shouldstop == RENEWED:  # which ends this worker, but not the run
        session.config.workeroutput.update(shouldstop=False, renewed=True)


def _renewed(node):
    return getattr(node, "workeroutput", {}).get("renewed", False)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node, error):
    """A new worker for one that ended since it held too much; pytest-xdist itself replaces only those that crashed."""
    session = node.config.pluginmanager.getplugin("dsession")
    if error is None and _renewed(node) and not session.shouldstop:
        node.gateway.exit()  # its process, which otherwise keeps its memory until all tests have run
        session.shuttingdown = False  # as it is if that worker was to run the last tests
        session._clone_node(node)


def _give_memory_back():
    """What the tests of a group left is freed: graphs hang in cycles, in Keras' state and in the heap's free lists."""
    keras = sys.modules.get("keras")
    if keras is None:
        return
    from tensorflow.python.framework import ops

    from flowzoo.data import arrays
    from tests import cases

    for data in (arrays._read, arrays._binarised):  # official data sets have hundreds of MB
        data.cache_clear()
    if _resident() > ROOM:
        for shared in (cases.transform, cases.base, cases.flow, cases.case):
            shared.cache_clear()
        # TensorFlow keeps what tf.custom_gradient noted in a graph, and with it the graph, for good: of all that a
        # fit of a plain Keras model leaves behind, this is nearly everything.
        kept = ops.gradient_registry._registry
        for name in [name for name in kept if name.startswith("CustomGradient-")]:
            del kept[name]
    keras.backend.clear_session()  # which collects garbage, too
    if sys.platform == "linux":
        ctypes.CDLL(None).malloc_trim(0)


@pytest.fixture(scope="session")
def fresh_process():
    """A function that runs Python code in a process of its own and returns what it prints."""

    def run(code, *arguments, **environment):
        done = subprocess.run(
            [sys.executable, "-c", code, *map(str, arguments)],
            cwd=Path(__file__).parents[1],
            env={**os.environ, "PYTHONPATH": ".", **environment},
            capture_output=True,
            text=True,
            timeout=300,
        )
        if done.returncode:
            pytest.fail(f"The process ended with {done.returncode}:\n{done.stderr[-4000:]}")
        return done.stdout

    return run


@pytest.fixture(scope="module")
def apart():
    """A function that calls one of a test file in a process of its own, which ends with the file or after some calls.

    TensorFlow never frees what XLA compiled, 35 MB of each transform. LLVM optimises nothing there: what is tested
    is what XLA makes of a graph, and it takes two thirds of the time.
    """
    ways = {"mp_context": multiprocessing.get_context("spawn"), "max_tasks_per_child": 24}
    unoptimised = ("XLA_FLAGS", "--xla_backend_optimization_level=0")
    with ProcessPoolExecutor(1, initializer=os.putenv, initargs=unoptimised, **ways) as process:
        yield lambda function, *arguments: process.submit(function, *arguments).result()


@pytest.fixture
def eagerly():
    """Without graphs, which would cost more than all that is computed in them."""
    import tensorflow as tf  # here, since it must find the environment set above

    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.fixture(scope="session")
def published(tmp_path_factory):
    """The path of a tiny published preset's JSON; not to be altered."""
    from tests.zoo import tiny  # here, since TensorFlow must find the environment set above

    return tiny.publish(tmp_path_factory.mktemp("zoo"))


@pytest.fixture
def altered(published, tmp_path):
    """A copy of `published` that a test may alter."""
    from tests.zoo import tiny

    return tiny.copy(published, tmp_path)


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector):
    """A test file that can't be imported is an error; --doctest-ignore-import-errors would leave it out silently."""
    report = yield
    if report.skipped and "unable to import module" in str(report.longrepr):
        report.outcome, report.longrepr = "failed", str(report.longrepr)
    return report
