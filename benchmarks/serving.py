"""Requests and rows per second of every way to score, in one run: python benchmarks/serving.py.

Direct scoring (`Flow.score`, and the SavedModel in a session), `Client` by gRPC and REST with the protocol server of
tests/serving (which is not TensorFlow Serving: its numbers bound the protocol and the graph, not that server), and
`flowzoo.beam` on the DirectRunner. Needs the extras serving and beam.
"""

import concurrent.futures
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # works from a checkout, installed or not

import numpy as np
from absl import app, flags

MODEL = flags.DEFINE_string("model", "maf-bsds300", "A preset of vectors.")
REQUESTS = flags.DEFINE_integer("requests", 200, "Requests of each client.", lower_bound=1)
ROWS = flags.DEFINE_integer("rows", 16, "Rows of a request.", lower_bound=1)
CLIENTS = flags.DEFINE_integer("clients", 4, "Clients at once.", lower_bound=1)
BEAM_ROWS = flags.DEFINE_integer("beam_rows", 20_000, "Rows of the pipelines.", lower_bound=1)
LINE = "| {:32} | {:>10} | {:>10} | {:>8} | {:>8} |"


def timed(what, call, clients=1):
    """Prints requests and rows per second, and the 50th and 99th percentile of the latency."""
    call()

    def client(_):
        times = []
        for _ in range(REQUESTS.value):
            start = time.perf_counter()
            call()
            times.append(1000 * (time.perf_counter() - start))
        return times

    start = time.perf_counter()
    with concurrent.futures.ThreadPoolExecutor(clients) as pool:
        times = np.concatenate(list(pool.map(client, range(clients))))
    rate = len(times) / (time.perf_counter() - start)
    median, last = np.percentile(times, [50, 99])
    print(LINE.format(what, f"{rate:.0f}", f"{rate * ROWS.value:.0f}", f"{median:.2f}", f"{last:.2f}"), flush=True)


def pipeline(what, model, points, options):
    """Prints rows per second of a pipeline from its start, which loads the model, to its end."""
    import apache_beam as beam
    from apache_beam.options.pipeline_options import PipelineOptions

    from flowzoo.beam import ReadRecords, Score, WriteRecords

    flags = ["--runner=DirectRunner", "--allow_unsafe_triggers", *options]  # without Prism, which is a download
    start = time.perf_counter()
    with beam.Pipeline(options=PipelineOptions(flags)) as running:
        results, _ = running | ReadRecords(str(points)) | Score(str(model))
        _ = results | WriteRecords(f"{points.parent}/{what}.parquet", Score.COLUMNS)
    rate = BEAM_ROWS.value / (time.perf_counter() - start)
    print(LINE.format(what, "", f"{rate:.0f}", "", ""), flush=True)


def main(_):
    import flowzoo
    from flowzoo.serving import Client, export_preset
    from tests.serving.protocol_server import Model, serving

    flow = flowzoo.load(MODEL.value)
    x = flow.sample(ROWS.value, seed=0).numpy()
    print(LINE.format(f"{MODEL.value}, {ROWS.value} rows a request", "requests/s", "rows/s", "p50, ms", "p99, ms"))
    print("|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        path = export_preset(MODEL.value, Path(folder, "models"))
        timed("Flow.score", lambda: flow.score(x, batch_size=ROWS.value))
        session = Model(path)
        timed("SavedModel", lambda: session.predict("log_prob", {"x": x}))
        with serving(Path(folder, "models")) as addresses:
            for name, address in zip(("REST", "gRPC"), addresses, strict=True):
                with Client(address, MODEL.value, timeout=60.0) as client:
                    for count in (1, CLIENTS.value):
                        timed(f"{name}, {count} at once", lambda: client.log_prob(x), count)
        points = Path(folder, "points.csv")
        many = np.tile(x, (-(-BEAM_ROWS.value // len(x)), 1))[: BEAM_ROWS.value]
        np.savetxt(points, many, "%.9g", ",", header=",".join(f"x{i}" for i in range(x.shape[1])), comments="")
        start = time.perf_counter()
        flow.score(many)
        rate = BEAM_ROWS.value / (time.perf_counter() - start)
        print(LINE.format(f"Flow.score, {BEAM_ROWS.value} rows", "", f"{rate:.0f}", "", ""))
        pipeline("Beam, 1 worker", path, points, ["--direct_num_workers=1"])
        two = ["--direct_num_workers=2", "--direct_running_mode=multi_processing"]
        pipeline("Beam, 2 processes", path, points, two)


if __name__ == "__main__":
    app.run(main)
