"""Flows in other runtimes: python benchmarks/runtimes.py --write makes the table of docs/serving.md anew.

Small flows of the families in `MODELS`, seeded random weights added, as ONNX (tf2onnx, run by ONNX Runtime, any batch
size) and as LiteRT (ai-edge-litert, one batch size): log_prob, encode and decode. Whether it converts, the largest
error against TensorFlow, the size of the file, and the median time of a call of 16 rows on one thread. They are the
extra `onnx`: pip install -e ".[onnx]".
"""

import json
import logging
import re
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # works from a checkout, installed or not

import numpy as np
import tensorflow as tf
from absl import app, flags

import flowzoo
from flowzoo.bijectors import autoregressive

ROWS, REPEATS, OPSET, WRONG = 16, 20, 17, 1e-2
VECTOR = {"event_shape": (8,), "depth": 3, "hidden": 32, "seed": 1}
IMAGE = {"event_shape": (8, 8, 3), "levels": 2, "depth": 2, "hidden": 16, "seed": 1}
PARAMETRIC = {"event_shape": (8,), "depth": 3, "seed": 1}
CONTINUOUS = {"event_shape": (8,), "hidden": 32, "seed": 1}
MODELS = {  # name: (family, configuration, whether to begin after dequantization)
    "planar": ("planar", PARAMETRIC, False),
    "radial": ("radial", PARAMETRIC, False),
    "nice": ("nice", VECTOR, False),
    "realnvp": ("realnvp", VECTOR, False),
    "glow": ("glow", VECTOR | {"bits": 0}, False),
    "maf": ("maf", VECTOR, False),
    "maf-mog": ("maf-mog", VECTOR | {"depth": 1}, False),
    "iaf": ("iaf", VECTOR, False),
    "nsf-ar": ("nsf-ar", VECTOR | {"depth": 2}, False),
    "nsf-coupling": ("nsf-coupling", VECTOR, False),
    "cnf": ("cnf", CONTINUOUS, False),
    "ffjord": ("ffjord", CONTINUOUS, False),
    "glow 8x8x3 of 8 bits": ("glow", IMAGE | {"bits": 8}, False),
    "glow 8x8x3 after dequantization": ("glow", IMAGE | {"bits": 8}, True),
    "realnvp 8x8x3 after dequantization": ("realnvp", IMAGE | {"bits": 8, "blocks": 1}, True),
    "nsf-coupling 8x8x3 after dequantization": ("nsf-coupling", IMAGE | {"bits": 8}, True),
}
UNTRIED = {("maf-mog", "decode"): "not tried, a root search for each feature takes minutes to convert"}
NAMES = flags.DEFINE_list("models", list(MODELS), "Rows of the table.")
MEASURED = flags.DEFINE_string("measured", None, "JSON lines that an earlier run printed, instead of a new one.")
WRITE = flags.DEFINE_bool("write", False, "Write the table into docs/serving.md.")
PAGE = Path(__file__).resolve().parents[1] / "docs" / "serving.md"
BEGIN, END = "<!-- written by benchmarks/runtimes.py -->\n", "<!-- end -->\n"


def functions(name):
    """{what: (function, input)} of a model."""
    family, config, after = MODELS[name]
    flow, noise = flowzoo.create(family, **{"standardize": False} | config), np.random.default_rng(0)
    for weight in flow.trainable_weights:
        weight.assign_add(0.1 * noise.standard_normal(weight.shape).astype("float32"))
    shape = (ROWS, *flow.event_shape)
    integers = flow.x_space.values
    x = noise.integers(0, 256, shape, dtype=np.uint8) if integers else noise.normal(size=shape).astype("float32")
    z = noise.normal(size=(ROWS, *flow.latent_shape)).astype("float32")
    seed = tf.constant(0, tf.uint32)
    if after:
        x = noise.uniform(0.1, 0.9, shape).astype("float32")
        encode, decode = flow.bijection.encode, flow.bijection.decode

        def log_prob(y):
            z, log_det = encode(y)
            return flow.base.log_prob(z) + log_det

        return {"log_prob": (log_prob, x), "encode": (encode, x), "decode": (decode, z)}
    found = {
        "log_prob": (lambda x: flow.raw.log_prob(x, None, seed, 1), x),
        "encode": (lambda x: flow.raw.encode(x, None, seed), x),
        "decode": (lambda z: flow.raw.decode(z, None, tf.constant(0, tf.uint32)), z),
    }
    if name == "realnvp":  # the same integers in every family
        seeds = flowzoo.core.random.row_seeds(0, ROWS).numpy()
        found["sample"] = (lambda seed: flow.raw.sample(seed, tf.ones([tf.shape(seed)[0]]), None), seeds)
    return found


def onnx(function, value):
    """A function of the value in ONNX Runtime, and the size of the file."""
    import onnxruntime
    import tf2onnx

    spec = tf.TensorSpec([None, *value.shape[1:]], value.dtype, name="value")
    traced = tf.function(function, input_signature=[spec], autograph=False)
    content = tf2onnx.convert.from_function(traced, [spec], opset=OPSET)[0].SerializeToString()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    return lambda: session.run(None, {"value": value}), len(content)


def litert(function, value):
    """A function of the value in LiteRT, and the size of the file."""
    from ai_edge_litert.interpreter import Interpreter

    spec = tf.TensorSpec(value.shape, value.dtype)
    traced = tf.function(function, input_signature=[spec], autograph=False)
    content = tf.lite.TFLiteConverter.from_concrete_functions([traced.get_concrete_function()], traced).convert()
    interpreter = Interpreter(model_content=content, num_threads=1)
    interpreter.allocate_tensors()
    given, outputs = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()

    def run():
        interpreter.set_tensor(given, value)
        interpreter.invoke()
        return [interpreter.get_tensor(output["index"]) for output in sorted(outputs, key=lambda o: o["name"])]

    return run, len(content)


def milliseconds(call):
    """Median time of a call."""
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return 1000 * statistics.median(times)


def error(found, wanted):
    """The largest |difference|; outputs are distinguished by shape, as a runtime may order them its own way."""
    worst = 0.0
    for value in wanted:
        same = [one for one in found if one.shape == value.shape]
        worst = max(worst, min(float(np.abs(one.astype("float64") - value).max()) for one in same))
    return worst


def reason(text):
    """Why something does not convert: the operations that a runtime lacks, or how the message begins."""
    missing = re.findall(r"'tf\.(\w+)' op is neither|In Node, \(\"([A-Za-z0-9]+)|Op \((\w+)\) \[", text)
    named = dict.fromkeys(f"`{name}`" for names in missing for name in names if name)
    return ", ".join(named) or " ".join(text.split())[:80].replace("|", "/")


def measure(name, what, function, value):
    """One row."""
    graph = tf.function(function, autograph=False)
    given = tf.constant(value)
    wanted = [output.numpy() for output in tf.nest.flatten(graph(given))]
    whole = any(np.issubdtype(output.dtype, np.integer) for output in wanted)  # at the edge of a bin
    row = {"model": name, "what": what, "allowed": 1.0 if whole else WRONG}
    row |= {"tf_ms": milliseconds(lambda: tf.nest.map_structure(np.asarray, graph(given)))}
    for runtime, convert in (("onnx", onnx), ("litert", litert)):
        if (name, what) in UNTRIED:
            row[runtime] = {"reason": UNTRIED[name, what]}
            continue
        try:
            call, size = convert(function, value)
            row[runtime] = {"error": error(call(), wanted), "kb": size / 1024, "ms": milliseconds(call)}
        except Exception as problem:
            row[runtime] = {"reason": f"{type(problem).__name__}: {problem}"[:4000]}
    return row


def table(rows):
    """Markdown."""
    lines = ["| flow | | TensorFlow | ONNX Runtime | LiteRT |", "|---|---|---|---|---|"]
    for row in rows:
        cells = [f"`{row['model']}`" if row["what"] == "log_prob" else "", f"`{row['what']}`", f"{row['tf_ms']:.2g} ms"]
        for runtime in ("onnx", "litert"):
            found = row[runtime]
            if "reason" in found:
                cells.append(f"no: {reason(found['reason'])}")
            elif found["error"] > row["allowed"]:
                cells.append(f"no: it converts, and is wrong by {found['error']:.0e}")
            else:
                cells.append("{error:.0e}, {kb:.0f} KB, {ms:.2g} ms".format(**found))
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def main(_):
    for noisy in ("tf2onnx", "tensorflow"):
        logging.getLogger(noisy).setLevel(logging.ERROR)
    autoregressive.UNROLLED = VECTOR["event_shape"][0] + 1  # no loop: ONNX has not its arrays, LiteRT errs in it
    tf.config.threading.set_intra_op_parallelism_threads(1)
    rows = [json.loads(line) for line in Path(MEASURED.value).read_text().splitlines()] if MEASURED.value else []
    for name in () if MEASURED.value else NAMES.value:
        for what, (function, value) in functions(name).items():
            rows.append(measure(name, what, function, value))
            print(json.dumps(rows[-1]), flush=True)
    print(table(rows))
    if WRITE.value:
        before, _, rest = PAGE.read_text().partition(BEGIN)
        PAGE.write_text(before + BEGIN + table(rows) + END + rest.partition(END)[2])


if __name__ == "__main__":
    app.run(main)
