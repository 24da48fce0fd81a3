"""ONNX Runtime and LiteRT compute what TensorFlow does, and the table of docs/serving.md is whole."""

import re

import pytest

from flowzoo.families import FAMILIES

pytestmark = pytest.mark.onnx
for package in ("tf2onnx", "onnxruntime", "ai_edge_litert"):
    pytest.importorskip(package, reason="needs flowzoo[onnx]")
runtimes = pytest.importorskip("benchmarks.runtimes")


@pytest.mark.parametrize("what", ["log_prob", "encode", "decode"])
def test_realnvp_converts_to_both(what):
    function, value = runtimes.functions("realnvp")[what]
    row = runtimes.measure("realnvp", what, function, value)
    assert row["onnx"]["error"] < 1e-3 and row["litert"]["error"] < 1e-3, row


def test_the_table_has_every_row_that_is_measured():
    rows = runtimes.PAGE.read_text().partition(runtimes.BEGIN)[2].partition(runtimes.END)[0]
    named = re.findall(r"^\| `(.+?)` \|", rows, re.MULTILINE)
    assert named == list(runtimes.MODELS) and {runtimes.MODELS[name][0] for name in named} <= set(FAMILIES)
    assert rows.count("`decode`") == len(named)
