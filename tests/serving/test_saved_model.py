"""SavedModels run where only TensorFlow is, without XLA, and give what Python gives."""

import importlib.util
import io
import json
import re
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageOps
from tensorflow.core.protobuf import saved_model_pb2

from flowzoo.core import random
from flowzoo.core.space import Space
from flowzoo.hub.presets import read_preset
from flowzoo.modalities.registry import modality_of
from flowzoo.record.preset import Preset
from flowzoo.serving import export, servable
from flowzoo.serving.graph import signature_specs
from flowzoo.serving.images import decode_images
from flowzoo.serving.warmup import WARMUP, can_warm_up
from tests import cases

EVERY = [name for name in cases.FLOWS if name not in cases.VARIANTS]
CLASSES = "glow-classes"
# one of each family, and all that takes a label, is exported in CI; -m slow does it for the other conditions and shapes
FIRST = {cases.FLOWS[name][0]: name for name in reversed(EVERY)}.values()
ROWS = [pytest.param(name, marks=[pytest.mark.slow] * (name not in FIRST and "classes" not in name)) for name in EVERY]

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
    z = cases.latents(model, 5)
    temperature = np.linspace(0.2, 1.1, 5).astype("float32")
    x, seed = x.astype(model.data_dtype), random.row_seeds(8, 5).numpy()
    inputs = {"x": x, "z": z, "seed": seed, "temperature": temperature}
    if _in_files(name):
        images = [np.squeeze(image << (8 - model.bits), 2) for image in x]
        inputs["image_bytes"] = np.array([_png(image) for image in images])
    return inputs if condition is None else {**inputs, "condition": condition}


def _in_files(name):
    space = cases.flow(name).x_space
    return modality_of(space).in_bytes(space)


def _png(pixels):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


@pytest.fixture(scope="module")
def exported(request, tmp_path_factory):
    """A folder with the SavedModel and the inputs of each flow."""
    folder = tmp_path_factory.mktemp("exported")
    ours = (item for item in request.session.items if item.path == request.path and hasattr(item, "callspec"))
    for name in {CLASSES, *(item.callspec.params["name"] for item in ours if "name" in item.callspec.params)}:
        assert cases.flow(name).export(folder / name) == folder / name
        np.savez(folder / f"{name}.npz", **_inputs(name))
    return folder


@pytest.fixture(scope="module")
def served(exported, fresh_process):
    """The results of a process in which Keras, TFP and flowzoo can't be imported and XLA is off."""
    fresh_process(_FRESH, exported, TF_XLA_FLAGS="--tf_xla_auto_jit=-1 --tf_xla_cpu_global_jit=false")
    return dict(np.load(exported / "results.npz"))


@pytest.mark.parametrize("name", ROWS)
def test_gives_what_python_gives(name, served):
    model, inputs = cases.flow(name), _inputs(name)
    condition = inputs.get("condition")
    z, log_det = model.encode(inputs["x"], condition)
    x, back = model.decode(inputs["z"], condition)
    expected = {
        "log_prob/log_prob": model.log_prob(inputs["x"], condition),
        "serving_default/log_prob": model.log_prob(inputs["x"], condition),
        "bits_per_dim/bits_per_dim": model.bits_per_dim(inputs["x"], condition),
        "encode/z": z,
        "encode/log_det": log_det,
        "decode/x": x,
        "decode/log_det": back,
        "sample/x": model.sample(5, condition, inputs["temperature"], inputs["seed"]),
    }
    if "reconstruct" in model.offers:
        expected["posterior/mean"] = model.posterior_mean(inputs["x"], condition)
        expected["reconstruct/mean"] = model.reconstruct(inputs["x"], condition)
    if _in_files(name):
        for key in ("log_prob", "bits_per_dim"):
            expected[f"serving_bytes/{key}"] = expected[f"{key}/{key}"]
    for key, value in expected.items():
        for got, want in ((served[f"{name}/{key}"], value), (served[f"{name}/{key}/alone"], value[2:3])):
            assert got.dtype == want.dtype and got.shape == want.shape
            if got.dtype == np.uint8:  # an edge of a bin may fall to the other side
                assert np.abs(got.astype(int) - want.numpy().astype(int)).max() <= 1
            else:
                np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-4)
    assert sum(key.startswith(f"{name}/") for key in served) == 2 * len(expected)


@pytest.mark.parametrize("name", ROWS)
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
    inputs |= {"serving_default": {"x"}, "bits_per_dim": {"x"}}
    if "reconstruct" in model.offers:
        inputs |= {"posterior": {"x"}, "reconstruct": {"x"}}
    if _in_files(name):
        inputs["serving_bytes"] = {"image_bytes"}
    assert set(inputs) == set(signature_specs(exported / name))
    for signature, names in inputs.items():
        assert set(signatures[signature].inputs) == names | conditional
        for tensor in (*signatures[signature].inputs.values(), *signatures[signature].outputs.values()):
            rows, *sizes = (dim.size for dim in tensor.tensor_shape.dim)
            assert rows == -1 and -1 not in sizes  # any batch size, nothing else unknown


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


def test_masks_are_stored_as_booleans(tmp_path):
    model = cases.new_flow("maf", hidden=200)
    size = (model.export(tmp_path / "1") / "saved_model.pb").stat().st_size
    assert size < 3 * model.count_params() * 4  # with four functions, 4 times less than as numbers


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_weights_of_half_the_size(dtype, tmp_path):
    model = cases.new_flow("realnvp", hidden=64)
    before, x = [weight.numpy() for weight in model.weights], cases.flow_data("realnvp")[0]
    model.export(tmp_path / "1", weights_dtype=dtype)
    stored = sum(file.stat().st_size for file in (tmp_path / "1" / "variables").glob("variables.data*"))
    assert model.count_params() * 2 <= stored < 1.1 * model.count_params() * 2
    served = tf.saved_model.load(str(tmp_path / "1")).signatures["log_prob"](x=x)["log_prob"]
    assert served.dtype == tf.float32
    assert 1e-6 < np.abs(served - model.log_prob(x)).max() < (0.1 if dtype == "bfloat16" else 0.01)
    for weight, value in zip(model.weights, before, strict=True):
        np.testing.assert_array_equal(weight, value)  # the flow itself is as it was
        weight.assign(tf.cast(tf.cast(value, dtype), weight.dtype))
    np.testing.assert_allclose(served, model.log_prob(x), rtol=1e-5, atol=1e-5)  # rounded, and nothing else


def test_time_stamps_keep_their_digits_in_bfloat16_too(tmp_path):
    model = cases.new_flow("realnvp", hidden=8, standardize=True, bounds=[[1.6e9, None], None])
    x = 1.7e9 + np.random.default_rng(0).normal(size=(64, 2))
    model.adapt(x)
    model.export(tmp_path / "1", weights_dtype="bfloat16")
    served = tf.saved_model.load(str(tmp_path / "1")).signatures
    inputs = served["log_prob"].structured_input_signature[1]
    assert inputs["x"].dtype == tf.float64
    np.testing.assert_allclose(served["log_prob"](x=x)["log_prob"], model.log_prob(x), rtol=0.01, atol=0.1)
    again = served["decode"](z=served["encode"](x=x)["z"])["x"]
    assert again.dtype == tf.float64 and np.abs(again - x).max() < 1e-4
    outside = x.copy()
    outside[3, 0] = 1.5e9
    assert np.flatnonzero(np.isneginf(served["log_prob"](x=outside)["log_prob"])).tolist() == [3]


def test_what_can_not_be_written_is_refused(tmp_path, monkeypatch):
    model = cases.new_flow("realnvp")
    model.trainable_weights[0].assign_add(tf.fill(model.trainable_weights[0].shape, 1e5))
    with pytest.raises(ValueError, match=r"must hold every weight, got float16, in which .* is infinite"):
        model.export(tmp_path / "1", weights_dtype="float16")
    with monkeypatch.context() as patch, pytest.raises(ValueError, match=r"need tensorflow-serving-api"):
        patch.setattr(importlib.util, "find_spec", lambda name: None)
        export(model, tmp_path / "1", name="realnvp")
    with pytest.raises(ValueError, match="must be one of float32, bfloat16, float16, got 'int8'"):
        model.export(tmp_path / "1", weights_dtype="int8")
    assert not list(tmp_path.iterdir())


def test_a_full_disk_leaves_nothing(tmp_path, monkeypatch):
    def save(module, path, signatures):
        Path(path).mkdir()
        raise tf.errors.ResourceExhaustedError(None, None, f"{path}/variables; No space left on device")

    monkeypatch.setattr(tf.saved_model, "save", save)
    with pytest.raises(OSError, match=r"\[Errno 28\] No space left on device: '.*/models/maf/1'"):
        cases.flow("maf").export(tmp_path / "models" / "maf" / "1")
    assert not list(tmp_path.iterdir())


def test_a_preset_goes_to_its_version_with_its_card(tmp_path, monkeypatch):
    name = "planar-rezende-u1"
    monkeypatch.setattr(servable, "load", lambda name: cases.flow("realnvp"))  # quicker
    path = servable.export_preset(name, tmp_path)
    assert path == tmp_path / name / str(read_preset(name).revision)
    assert Preset.from_dict(json.loads((path / "assets" / "card.json").read_text())) == read_preset(name)
    assert (path / WARMUP).exists() == can_warm_up()
    with pytest.raises(FileExistsError, match="`version` must be new"):
        servable.export_preset(name, tmp_path)
    assert servable.export_preset(name, tmp_path, version=7) == tmp_path / name / "7"
    assert sorted(folder.name for folder in (tmp_path / name).iterdir()) == ["1", "7"]


@pytest.mark.serving
def test_warm_up_has_a_request_for_each_signature(models):
    log = pytest.importorskip("tensorflow_serving.apis.prediction_log_pb2", reason="needs flowzoo[serving]")
    for path in models.glob("*/1"):
        model, seen = tf.saved_model.load(str(path)), set()
        for record in tf.data.TFRecordDataset(str(path / WARMUP)):
            request = log.PredictionLog.FromString(record.numpy()).predict_log.request
            inputs = {key: tf.constant(tf.make_ndarray(value)) for key, value in request.inputs.items()}
            outputs = model.signatures[request.model_spec.signature_name](**inputs)
            assert request.model_spec.name == path.parent.name
            assert all(len(value) == 1 for value in outputs.values())
            seen.add(request.model_spec.signature_name)
        assert seen == set(model.signatures)


def test_images_are_those_of_pillow():
    numbers = np.random.default_rng(0)
    gray, colour = numbers.integers(0, 256, (8, 6), dtype=np.uint8), numbers.integers(0, 256, (8, 6, 3), dtype=np.uint8)
    palette = Image.fromarray(colour).quantize(16)
    file = io.BytesIO()
    palette.save(file, "PNG")
    images = [(_png(gray), Image.fromarray(gray)), (_png(colour), Image.fromarray(colour))]
    images += [(file.getvalue(), palette.convert("RGB"))]
    encoded = tf.constant([content for content, _ in images])
    for mode, channels in (("L", 1), ("RGB", 3)):
        wanted = np.stack([np.asarray(image.convert(mode)).reshape(8, 6, channels) for _, image in images])
        np.testing.assert_array_equal(decode_images(encoded, Space.integers((8, 6, channels), 256)), wanted)
        np.testing.assert_array_equal(decode_images(encoded, Space.integers((8, 6, channels), 32)), wanted >> 3)
    half = Image.fromarray(gray).resize((3, 4), Image.Resampling.BILINEAR)
    found = decode_images(encoded[:1], Space.integers((4, 3, 1), 256))[0, ..., 0]
    assert np.abs(found.numpy().astype(int) - np.asarray(half).astype(int)).max() <= 1


def test_images_are_turned_as_exif_says():
    pixels, files, wanted = Image.fromarray(np.arange(24, dtype=np.uint8).reshape(4, 6) * 10), [], []
    for orientation in range(1, 9):
        exif, file = Image.Exif(), io.BytesIO()
        exif.endian = "<>"[orientation % 2]
        exif[0x010E], exif[0x0112] = "other tags, too", orientation
        pixels.save(file, ("PNG", "JPEG")[orientation // 2 % 2], exif=exif.tobytes())
        turned = np.asarray(ImageOps.exif_transpose(Image.open(file)))
        files.append(file.getvalue())
        wanted.append(turned)
    for upright, shape in ((True, (4, 6, 1)), (False, (6, 4, 1))):
        some = [i for i, turned in enumerate(wanted) if (turned.shape == (4, 6)) == upright]
        found = decode_images(tf.constant([files[i] for i in some]), Space.integers(shape, 256))
        np.testing.assert_array_equal(found[..., 0], np.stack([wanted[i] for i in some]))


def test_the_docs_name_the_versions_that_their_commands_write():
    page = (Path(__file__).parents[2] / "docs" / "serving.md").read_text()
    written = set(re.findall(r"flowzoo export (\S+) models --version=(\d+)", page))
    assert set(re.findall(r"models/([\w-]+)/(\d+)", page)) == written


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


def test_bad_rows_are_nan_alone_if_not_checked(tmp_path):
    name = "planar-classes"
    served = tf.saved_model.load(str(cases.flow(name).export(tmp_path / "1", check=False))).signatures["log_prob"]
    inputs = {key: tf.constant(_inputs(name)[key]) for key in ("x", "condition")}
    good = served(**inputs)["log_prob"].numpy()
    inputs["condition"] = tf.constant([0, 7, 0, -1, 0])
    bad = served(**inputs)["log_prob"].numpy()
    assert np.isnan(bad).tolist() == [False, True, False, True, False] and np.isfinite(good).all()


def test_bad_rows_are_refused(exported):
    served = tf.saved_model.load(str(exported / CLASSES)).signatures["log_prob"]
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"expected `condition` of 0 ... 2, got.*\[1 3\]"):
        served(x=tf.constant(_inputs(CLASSES)["x"]), condition=tf.constant([0, 7, 0, -1, 0]))
