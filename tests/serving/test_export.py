"""SavedModels run where only TensorFlow is, without XLA, and give what Python gives."""

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from flowzoo import random
from tests import cases

EVERY = list(cases.FLOWS)

_FRESH = """
import sys
BLOCKED = ("keras", "tf_keras", "tensorflow_probability", "flowzoo")
class Without:
    def __init__(self, finder):
        self.finder = finder
    def find_spec(self, name, path=None, target=None):
        return None if name.split(".")[0] in BLOCKED else self.finder.find_spec(name, path, target)
sys.meta_path[:] = [Without(finder) for finder in sys.meta_path]  # as if they were not installed
from pathlib import Path
import numpy as np
import tensorflow as tf
tf.config.optimizer.set_jit(False)
folder, results = Path(sys.argv[1]), {}
for path in sorted(folder.glob("*.npz")):
    model, inputs = tf.saved_model.load(str(path.with_suffix(""))), np.load(path)
    for name, function in model.signatures.items():
        arguments = {key: tf.constant(inputs[key]) for key in function.structured_input_signature[1]}
        for key, value in function(**arguments).items():
            results[f"{path.stem}/{name}/{key}"] = value
        alone = function(**{key: value[2:3] for key, value in arguments.items()})
        results.update({f"{path.stem}/{name}/{key}/alone": value for key, value in alone.items()})
assert not any(name.split(".")[0] in BLOCKED for name in sys.modules)
np.savez(folder / "results", **results)
"""


def _inputs(name):
    model, (x, condition) = cases.flow(name), cases.flow_data(name, 5)
    z = np.random.default_rng(3).normal(size=(5, *model.latent_shape)).astype("float32")
    temperature = np.linspace(0.2, 1.1, 5).astype("float32")
    inputs = {"x": x, "z": z, "seed": random.row_seeds(8, 5).numpy(), "temperature": temperature}
    return inputs if condition is None else {**inputs, "condition": condition}


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A folder with the SavedModel and the inputs of each flow."""
    folder = tmp_path_factory.mktemp("exported")
    for name in EVERY:
        assert cases.flow(name).export(folder / name) == folder / name
        np.savez(folder / f"{name}.npz", **_inputs(name))
    return folder


@pytest.fixture(scope="module")
def served(exported, fresh_process):
    """The results of a process in which Keras, TFP and flowzoo can't be imported and XLA is off."""
    fresh_process(_FRESH, exported, TF_XLA_FLAGS="--tf_xla_auto_jit=-1 --tf_xla_cpu_global_jit=false")
    return dict(np.load(exported / "results.npz"))


@pytest.mark.parametrize("name", EVERY)
def test_gives_what_python_gives(name, served):
    model, inputs = cases.flow(name), _inputs(name)
    condition = inputs.get("condition")
    z, log_det = model.encode(inputs["x"], condition)
    x, back = model.decode(inputs["z"], condition)
    expected = {
        "log_prob/log_prob": model.log_prob(inputs["x"], condition),
        "serving_default/log_prob": model.log_prob(inputs["x"], condition),
        "encode/z": z,
        "encode/log_det": log_det,
        "decode/x": x,
        "decode/log_det": back,
        "sample/x": model.sample(5, condition, inputs["temperature"], inputs["seed"]),
    }
    for key, value in expected.items():
        for got, want in ((served[f"{name}/{key}"], value), (served[f"{name}/{key}/alone"], value[2:3])):
            assert got.dtype == want.dtype and got.shape == want.shape
            if got.dtype == np.uint8:  # an edge of a bin may fall to the other side
                assert np.abs(got.astype(int) - want.numpy().astype(int)).max() <= 1
            else:
                np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-4)
    assert sum(key.startswith(f"{name}/") for key in served) == 2 * len(expected)


@pytest.mark.parametrize("name", EVERY)
def test_signatures_have_named_tensors_and_no_xla(name, exported):
    model, proto = cases.flow(name), saved_model_pb2.SavedModel()
    proto.ParseFromString((exported / name / "saved_model.pb").read_bytes())
    graph = proto.meta_graphs[0].graph_def
    nodes = [*graph.node, *(node for function in graph.library.function for node in function.node_def)]
    compiled = [f for f in graph.library.function if f.attr["_XlaMustCompile"].b or f.attr["_jit_compile"].b]
    assert not compiled
    assert not [node for node in nodes if "Xla" in node.op or node.attr["_XlaMustCompile"].b]
    signatures = proto.meta_graphs[0].signature_def
    conditional = {"condition"} if model.classes or model.condition_features else set()
    inputs = {"log_prob": {"x"}, "encode": {"x"}, "decode": {"z"}, "sample": {"seed", "temperature"}}
    for signature, names in {**inputs, "serving_default": {"x"}}.items():
        assert set(signatures[signature].inputs) == names | conditional
        for tensor in signatures[signature].inputs.values():
            assert tensor.tensor_shape.dim[0].size == -1  # any batch size


def test_a_jit_compiled_function_would_be_found(tmp_path):
    module = tf.Module()
    inner = tf.function(tf.exp, jit_compile=True)
    module.f = tf.function(lambda x: inner(x), input_signature=[tf.TensorSpec([None])])
    tf.saved_model.save(module, str(tmp_path))
    proto = saved_model_pb2.SavedModel()
    proto.ParseFromString((tmp_path / "saved_model.pb").read_bytes())
    graph = proto.meta_graphs[0].graph_def
    functions = graph.library.function
    assert any(f.attr["_XlaMustCompile"].b for f in functions) or any(
        node.attr["_XlaMustCompile"].b for f in functions for node in f.node_def
    )


def test_weights_are_stored_once(tmp_path):
    model = cases.new_flow("realnvp", hidden=256)
    model.compile("adam")
    model.optimizer.build(model.trainable_variables)  # its slots are not exported
    model.xla = True
    model.export(tmp_path / "1")
    stored = sum(file.stat().st_size for file in (tmp_path / "1" / "variables").glob("variables.data*"))
    assert model.count_params() * 4 <= stored < 1.1 * model.count_params() * 4


def test_is_written_all_or_nothing(tmp_path, monkeypatch):
    model, path = cases.flow("realnvp"), tmp_path / "models" / "1"
    path.mkdir(parents=True)
    model.export(str(path))  # an empty folder is fine
    before = sorted(path.iterdir())
    with pytest.raises(FileExistsError, match=r"must be a new or empty folder, got .* Use overwrite=True"):
        model.export(path)
    (tmp_path / "file").touch()
    with pytest.raises(FileExistsError, match="got the file"):
        model.export(tmp_path / "file")

    def broken(module, folder, signatures):
        tf.io.gfile.makedirs(folder)
        raise OSError("disk full")

    with monkeypatch.context() as patch:
        patch.setattr(tf.saved_model, "save", broken)
        for target in (path, path.with_name("2")):
            with pytest.raises(OSError, match="disk full"):
                model.export(target, overwrite=True)
    assert sorted(path.iterdir()) == before and list(path.parent.iterdir()) == [path]
    model.export(path, overwrite=True)
    assert list(path.parent.iterdir()) == [path] and (path / "saved_model.pb").exists()
    assert path.stat().st_mode & 0o777 == path.parent.stat().st_mode & 0o777  # readable as any other folder


def test_bad_rows_are_nan_alone(exported):
    model = tf.saved_model.load(str(exported / "glow-classes"))
    inputs = {key: tf.constant(_inputs("glow-classes")[key]) for key in ("x", "condition")}
    good = model.signatures["log_prob"](**inputs)["log_prob"].numpy()
    inputs["condition"] = tf.constant([0, 7, 0, -1, 0])
    bad = model.signatures["log_prob"](**inputs)["log_prob"].numpy()
    assert np.isnan(bad).tolist() == [False, True, False, True, False] and np.isfinite(good).all()
