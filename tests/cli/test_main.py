"""The command line: what each subcommand prints and writes, and its exit codes."""

import json
import os
import re
import shutil
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import flowzoo
from flowzoo.cards import plots
from flowzoo.cli import demo, doctor
from flowzoo.cli.common import one_line
from flowzoo.cli.main import BAD_INPUT, CHECK_FAILED, OK, UNEXPECTED, main
from flowzoo.cli.quiet import import_tensorflow
from flowzoo.hub import store
from tests.zoo import tiny

ROOT = Path(__file__).parents[2]


@pytest.fixture
def images():
    return flowzoo.data.fixture("fashion_mnist")[0]


def test_light_commands_do_not_import_tensorflow(tmp_path):
    commands = [
        ["--help"],
        ["list"],
        ["list", "glow-*", "--json"],
        ["info", "realnvp-mnist"],
        ["plot", "realnvp-mnist", "--curves", f"--out={tmp_path / 'x.png'}"],
        ["download", "planar-rezende-u1"],
        ["cache", "list"],
    ]
    code = f"""
import sys
from flowzoo.cli.main import main
for arguments in {commands!r}:
    try:
        code = main(arguments)
    except SystemExit as stop:
        code = stop.code
    heavy = {{"tensorflow", "keras"}} & set(sys.modules)
    assert not code and not heavy, (arguments, code, heavy)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "exit codes:" in done.stdout


def test_python_m_flowzoo(capfd):
    assert subprocess.run([sys.executable, "-m", "flowzoo", "--version"], cwd=ROOT).returncode == OK
    assert capfd.readouterr().out == f"flowzoo {flowzoo.__version__}\n"


@pytest.mark.parametrize("arguments", [["list"], ["--help"]])
def test_who_reads_no_further_is_no_error_and_a_full_disk_is_one(arguments):
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONUNBUFFERED"}
    reader, writer = os.pipe()
    os.close(reader)
    for out, code, said in (
        (writer, OK, b""),
        (os.open("/dev/full", os.O_WRONLY), BAD_INPUT, b"output: [Errno 28] No space"),
    ):
        command = [sys.executable, "-m", "flowzoo", *arguments]
        done = subprocess.run(command, cwd=ROOT, env=environment, stdout=out, stderr=subprocess.PIPE)
        os.close(out)
        assert done.returncode == code and said in done.stderr and done.stderr.count(b"\n") == bool(said)


def test_what_a_terminal_can_not_show_or_would_obey_is_told_by_its_code():
    environment = os.environ | {"PYTHONIOENCODING": "ascii"}
    command = [sys.executable, "-m", "flowzoo", "info", "planar-rezende-u1"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, check=True)
    assert rb" \xb1 0.00" in done.stdout
    assert one_line(ValueError("status 404\n\x1b]0;title\x07 ±")) == r"status 404 \x1b]0;title\x07 ±"


def test_list(capsys):
    assert main(["list", "glow-fash*"]) == OK
    header, row = capsys.readouterr().out.splitlines()
    assert header.split()[:6] == ["preset", "family", "data", "parameters", "test", "size"]
    for part in (
        "glow-fashion-mnist  glow",
        "fashion_mnist  ",
        "741,181",
        "2.991 bits/dim",
        "3.3 MiB",
        "Apache-2.0; MIT",
    ):
        assert part in row
    assert main(["list", "--json"]) == OK
    assert {preset["name"] for preset in json.loads(capsys.readouterr().out)} == set(flowzoo.list_presets())
    assert main(["list", "nothing"]) == BAD_INPUT
    assert "no preset matches 'nothing'. Known: " in capsys.readouterr().err


def test_info(published, capsys):
    assert main(["info", str(published)]) == OK
    out = capsys.readouterr().out
    assert "bits/dim   9." in out
    assert "lower_bound, 1 draw, seed 0" in out
    assert main(["info", str(published), "--json"]) == OK
    assert json.loads(capsys.readouterr().out) == flowzoo.card(published).to_dict()


def test_recipes_are_marked(capsys):
    assert main(["list", "glow-*"]) == OK
    lines = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()}
    assert "recipe only" in lines["glow-cifar10-paper"] and "bits/dim" in lines["glow-fashion-mnist"]
    assert main(["info", "glow-cifar10-paper"]) == OK
    out = capsys.readouterr().out
    assert "recipe only: there are no weights" in out and "files      none\n" in out
    assert (True, "glow-cifar10-paper: recipe only") in list(doctor.weights(["glow-cifar10-paper"]))
    assert main(["sample", "glow-cifar10-paper"]) == BAD_INPUT
    assert "will have none: it is a recipe only. Train it with `python tools/train.py" in capsys.readouterr().err


def test_images_in_and_out(published, images, capsys):
    Path("from").mkdir()
    for name, image in zip(("from/a.png", "from/b.png", "c.png"), images[:3, ..., 0], strict=True):
        Image.fromarray(image).save(name)
    assert main(["encode", str(published), "from", "--out=z.csv"]) == OK
    assert main(["decode", str(published), "z.csv", "--out=again.npy"]) == OK
    assert abs(np.load("again.npy").astype(int) - images[:2]).max() <= 1
    assert main(["interpolate", str(published), "from", "again.npy", "--steps=3", "--out=between.png"]) == OK
    with Image.open("between.png") as image:
        assert image.size == (3 * 28 * 2, 2 * 28 * 2)
    assert main(["interpolate", str(published), "from", "c.png"]) == BAD_INPUT
    assert "FROM and TO must hold the same number of examples, got 2 and 1" in capsys.readouterr().err


def test_encode_and_decode_tell_which_rows_are_not_finite(capsys):
    np.save("x.npy", np.array([[0, 0], [3e38, -3e38]], "float32"))
    for command, preset in (("encode", "iaf-rezende-u4"), ("decode", "maf-mog-rezende-u3")):
        assert main([command, preset, "x.npy", "--out=y.npy"]) == OK
        assert "1 of them hold NaN or infinity, first index 1\n" in capsys.readouterr().out
        assert np.isfinite(np.load("y.npy")).all(axis=1).tolist() == [True, False]
        assert main([command, preset, "x.npy", "--out=y.npy", "--json"]) == OK
        assert json.loads(capsys.readouterr().out)["non_finite"] == 1


def test_plot_of_images(published, capsys):
    assert main(["plot", str(published), "--count=9", "--seed=5", "--out=grid.png"]) == OK
    assert "9 samples of tiny at T = 1, seed 5: grid.png" in capsys.readouterr().out
    assert main(["sample", str(published), "--count=9", "--seed=5", "--out=same.png"]) == OK
    assert Path("grid.png").read_bytes() == Path("same.png").read_bytes()


def test_plot_of_curves(tmp_path, capsys):
    run = tmp_path / "run"
    run.mkdir()
    assert main(["plot", str(run)]) == BAD_INPUT
    assert "no history.csv there" in capsys.readouterr().err
    shutil.copy(ROOT / "checkpoints" / "realnvp-mnist" / "history.csv", run)
    assert main(["plot", str(run), "glow-celeba64"]) == OK
    out = capsys.readouterr().out
    assert "run: 26 validations to step 13000" in out and "glow-celeba64: 5 validations" in out
    with Image.open(run / "curves.png") as image:
        assert image.format == "PNG" and image.width > 1000
    assert main(["plot", str(run / "history.csv"), str(run), "--out=two.png"]) == OK and Path("two.png").exists()
    assert main(["plot", "realnvp-mnist", "--curves"]) == OK and Path("curves.png").exists()
    for wrong, message in [
        (["plot", "no-such"], "a work folder, a history.csv or a preset, got 'no-such'"),
        (["plot", "missing.csv"], "No such file"),
        (["plot", "glow-cifar10-paper", "--curves"], "has no published history.csv"),
        (["plot", str(run), "--trajectories"], "--trajectories draws a preset with weights, got curves to draw"),
        (["plot", str(run), "--out=x.jpg"], "--out must end in .png, got 'x.jpg'"),
    ]:
        capsys.readouterr()
        assert main(wrong) == BAD_INPUT
        assert message in capsys.readouterr().err


def test_demo(published, tmp_path, capsys):
    assert main(["demo", f"--preset={published}"]) == OK
    out = capsys.readouterr().out
    for needed in ("drew 64 samples", "scored 256 shipped test images", "spread", "largest error", "model.weights.h5"):
        assert needed in out
    with Image.open(tmp_path / "here" / "flowzoo-demo.png") as image:
        assert image.size == (8 * 28 * 2, 8 * 28 * 2)
    assert main(["demo", f"--preset={published}", "--out=d.jpg"]) == BAD_INPUT
    assert "--out must end in .png, got 'd.jpg'" in capsys.readouterr().err


SMALL = {"depth": 1, "hidden": 4}


@pytest.mark.parametrize(
    ("preset", "options", "said"),
    [
        (
            "vae-mnist-binary",
            {"family": "vae", "event_shape": (28, 28, 1), "bits": 1, "hidden": 4},
            r"drew 64 .*scored 256 shipped test images: -log p\(x\) .* nats per example, .*\(lower_bound\)\n"
            "reconstructed 64 of them from 2 latents: mean error .* of the data range\n\n",
        ),
        (
            "flow-matching-checkerboard",
            {"family": "flow-matching", "hidden": 4, "blocks": 1},
            r"drew 20 .*scored 8 examples of the test split: -log p\(x\) .* nats per example, .*\(exact\)\n"
            "reconstructed 8 of them by encode and decode: largest error .* in units of the data\n\n",
        ),
        (
            "glow-cifar10-cond",
            {"family": "glow", "event_shape": (32, 32, 3), "bits": 8, "classes": 10, "levels": 1, **SMALL},
            "drew 64 .*scored 64 shipped test images: .* bits/dim, .*largest error .* of the data range\n\n",
        ),
        (
            "maf-bsds300",  # no test data is here
            {"family": "maf", "event_shape": (63,), **SMALL},
            r"drew 20 .*scored 64 samples of the flow at T = 0.7: .* \(exact\)\nreconstructed 64 .*\n\n",
        ),
        (
            "waveflow-fsdd",
            {"family": "waveflow", "event_shape": (256,), "condition": {"shape": [4, 5], "modality": "mel"}, **SMALL},
            "drew 16 .*scored 64 samples of the flow .* bits/dim, .*\nreconstructed 64 .*\n\n",
        ),
    ],
)
def test_demo_shows_what_a_model_offers(preset, options, said, monkeypatch, capsys):
    flow = flowzoo.create(**options)
    monkeypatch.setattr(flowzoo, "load", lambda name: flow)
    monkeypatch.setattr(plots, "POINTS", 20)
    monkeypatch.setattr(plots, "GRID", 4)
    monkeypatch.setattr(demo, "SCORED", 8)
    assert main(["demo", f"--preset={preset}"]) == OK
    assert re.search(said, capsys.readouterr().out, re.DOTALL)
    with Image.open("flowzoo-demo.png") as image:
        assert image.width > 100


def test_sample(published, capsys, recwarn):
    assert main(["sample", str(published), "--count=3", "--seed=5", "--temperature=0.7", "--out=x.npy"]) == OK
    expected = flowzoo.load(published).sample(3, temperature=0.7, seed=5)
    np.testing.assert_array_equal(np.load("x.npy"), expected)
    assert "3 samples" in capsys.readouterr().out
    assert main(["sample", str(published), "--count=3", "--out=x.npy", "--json"]) == OK
    shown = {"preset": str(published), "samples": 3, "temperature": 1.0, "seed": 0, "out": "x.npy"}
    assert json.loads(capsys.readouterr().out) == shown
    assert main(["sample", str(published), "--count=3"]) == OK
    with Image.open("samples.png") as image:
        assert image.size == (2 * 28 * 2, 2 * 28 * 2)
    assert main(["sample", str(published), "--out=x.jpg"]) == BAD_INPUT
    for wrong in ("--temperature=-1", "--temperature=1e39", "--seed=-1"):
        assert main(["sample", str(published), wrong]) == BAD_INPUT
    assert capsys.readouterr().err.count("\n") == 4
    assert not [warning for warning in recwarn if warning.category is RuntimeWarning]
    assert main(["sample", "iaf-rezende-u4"]) == BAD_INPUT
    assert "--out must end in .npy, .csv or .parquet for examples of shape (2,)" in capsys.readouterr().err


def test_score(published, images, capsys):
    np.save("x.npy", images[:3])
    Image.fromarray(images[3, ..., 0]).save("x.png")
    assert main(["score", str(published), "x.npy", "x.png", "--draws=2", "--seed=1", "--out=scores.csv"]) == OK
    assert "4 examples: " in capsys.readouterr().out
    assert [line.split(",")[1] for line in Path("scores.csv").read_text().split()] == ["file", *["x.npy"] * 3, "x.png"]
    rows = np.loadtxt("scores.csv", delimiter=",", skiprows=1, usecols=(0, 2))
    expected = flowzoo.load(published).bits_per_dim(images[:4], seed=1, samples=2)
    np.testing.assert_array_equal(rows[:, 0], range(4))
    np.testing.assert_allclose(rows[:, 1], expected, atol=1e-4)


def test_score_tells_which_likelihoods_are_not_finite(published, images, capsys, monkeypatch):
    np.save("x.npy", images[:3])
    monkeypatch.setattr("flowzoo.measure.likelihood.losses", lambda *_, **__: np.array([1.0, np.nan, np.inf]))
    assert main(["score", str(published), "x.npy"]) == OK
    assert "2 examples have no finite likelihood, first index 1, of x.npy\n" in capsys.readouterr().out
    assert main(["score", str(published), "x.npy", "--json"]) == OK
    assert json.loads(capsys.readouterr().out)["non_finite"] == 2


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((2, 8, 8, 1), np.uint8), r"examples must have shape (28, 28, 1), got an array of shape (2, 8, 8, 1)"),
        (np.zeros((2, 28, 28, 1), np.float32), "examples must be uint8, got float32"),
        (np.full((1, 28, 28, 1), 300, np.int32), "examples must be integers 0 to 255, got 300 to 300"),
        (np.array([None]), "expected an array written by numpy.save"),
        (None, "No such file"),
        (b"", "expected an array written by numpy.save"),
        (b"PK\x03\x04", "expected an array written by numpy.save"),
        (
            np.zeros((0, 28, 28, 1), np.uint8),
            "expected at least one row of examples, got an array of shape (0, 28, 28, 1)",
        ),
        (np.zeros(0, np.uint8), "examples must have shape (28, 28, 1), got an array of shape (0,)"),
    ],
)
def test_score_says_what_is_wrong_with_its_input(published, array, message, capsys):
    if isinstance(array, bytes):
        Path("x.npy").write_bytes(array)
    elif array is not None:
        np.save("x.npy", array, allow_pickle=True)
    assert main(["score", str(published), "x.npy"]) == BAD_INPUT
    error = capsys.readouterr().err
    assert error.startswith("flowzoo: error: ")
    assert message in error
    assert error.count("\n") == 1


def test_an_npz_archive_is_refused(published, capsys):
    with open("x.npy", "wb") as file:
        np.savez(file, x=np.zeros((1, 28, 28, 1), np.uint8))
    assert main(["score", str(published), "x.npy"]) == BAD_INPUT
    assert "got an .npz archive" in capsys.readouterr().err


def png_of_16_bit_colours():
    rows = b"".join(b"\0" + bytes(6 * 28) for _ in range(28))
    header = struct.pack(">IIBBBBB", 28, 28, 16, 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    body = (struct.pack(">I", len(d)) + n + d + struct.pack(">I", zlib.crc32(n + d)) for n, d in chunks)
    return b"\x89PNG\r\n\x1a\n" + b"".join(body)


def test_images_that_would_lose_something_are_refused(published, capsys):
    deep, clear = np.zeros((28, 28), np.uint16), np.zeros((28, 28, 4), np.uint8)
    Image.fromarray(deep).save("deep.png")
    Path("colours.png").write_bytes(png_of_16_bit_colours())
    Image.fromarray(clear).save("rgba.png")
    Image.fromarray(clear[..., :2]).save("la.png")
    Image.fromarray(clear[..., 0]).save("key.png", transparency=0)
    for name, message in [
        ("deep.png", "8 bits per channel"),
        ("colours.png", "8 bits per channel"),
        ("rgba.png", "without transparency"),
        ("la.png", "without transparency"),
        ("key.png", "without transparency"),
    ]:
        assert main(["score", str(published), name]) == BAD_INPUT
        error = capsys.readouterr().err
        assert error.startswith(f"flowzoo: error: {name}: ") and message in error and error.count("\n") == 1


def test_no_image_is_refused(published, capsys):
    Path("x.png").write_text("no image")
    assert main(["score", str(published), "x.png"]) == BAD_INPUT
    assert "x.png: expected a .npy, .csv or .parquet file, an image such as PNG, or a" in capsys.readouterr().err


def test_verify(published, altered, capsys):
    assert main(["verify", str(published)]) == OK
    assert "every number holds" in capsys.readouterr().out
    tiny.edit(altered, lambda record: record["metrics"]["fixture_bits_per_dim"].update(value=2.0))
    assert main(["verify", str(altered), "--json"]) == CHECK_FAILED
    assert json.loads(capsys.readouterr().out)["ok"] is False


def test_export(published, capsys, monkeypatch):
    assert main(["export", str(published), "models"]) == OK
    assert "serving_bytes" in capsys.readouterr().out
    assert "sample" in tf.saved_model.load("models/tiny/1").signatures
    assert main(["export", str(published), "models"]) == BAD_INPUT
    error = capsys.readouterr().err
    assert "--version must be new" in error and "--overwrite" in error and "=True" not in error
    Path("file").touch()
    with monkeypatch.context() as context:
        context.setattr("flowzoo.serving.servable.load", None)  # nothing is loaded first
        assert main(["export", str(published), "file"]) == BAD_INPUT
    assert "file is not a folder that you may write to" in capsys.readouterr().err
    monkeypatch.setattr("flowzoo.serving.servable.can_warm_up", lambda: False)
    options = ["--overwrite", "--weights=bfloat16", "--no-check"]
    assert main(["export", str(published), "models", *options]) == OK
    assert "without warm-up requests: run `pip install flowzoo[serving]`" in capsys.readouterr().out
    assert main(["export", str(published), "models", *options, "--json"]) == OK
    shown = json.loads(capsys.readouterr().out)
    assert (shown["directory"], shown["warm_up"]) == ("models/tiny/1", False) and "sample" in shown["signatures"]


def test_doctor(published, altered, capsys, monkeypatch):
    requirements = ["keras<4,>=3", "numpy<1,>=0.1", "no-such-package>=1", 'pytest>=8; extra == "test"']
    monkeypatch.setattr("importlib.metadata.requires", lambda name: requirements)
    monkeypatch.setenv("TF_USE_LEGACY_KERAS", "1")
    assert main(["doctor"]) == CHECK_FAILED
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].startswith("ok   keras 3.")
    assert lines[2].startswith("OFF  numpy 2.")
    assert lines[3].startswith("OFF  no-such-package: expected >=1, not installed")
    for start in (
        "OFF  TF_USE_LEGACY_KERAS='1'",
        "ok   devices: ",
        "ok   files, 1st: cache ",
        "ok   data set mnist: not",
    ):
        assert any(line.startswith(start) for line in lines)
    assert lines[-1] == "3 off"

    altered.with_suffix("").joinpath("model.weights.h5").unlink()
    assert [ok for ok, _ in doctor.weights([str(published), str(altered)])] == [True, False]
    altered.write_text("{")
    (ok, line), (next_ok, _) = doctor.weights([str(altered), str(published)])
    assert not ok and next_ok and line.startswith("tiny.json: expected a readable JSON file")


def test_doctor_takes_a_slim_install_for_healthy(tmp_path, monkeypatch):
    monkeypatch.setattr(store, "INSTALLED", tmp_path / "installed")
    monkeypatch.setattr(store, "CHECKOUT", tmp_path / "no-checkout")
    checks = list(doctor.weights(["glow-fashion-mnist", "realnvp-mnist"]))
    assert [ok for ok, _ in checks] == [False, True]  # the demo's weights are in every install
    assert checks[1][1] == "realnvp-mnist: not installed (slim)"
    (tmp_path / "installed" / "realnvp-mnist").mkdir(parents=True)
    assert [ok for ok, _ in doctor.weights(["realnvp-mnist"])] == [False]


def test_errors_take_one_line_and_the_trace_on_request(capsys, monkeypatch):
    assert main(["info", "glow-fashon-mnist"]) == BAD_INPUT
    error = "flowzoo: error: unknown preset 'glow-fashon-mnist'. Did you mean 'glow-fashion-mnist'?\n"
    assert capsys.readouterr().err == error
    with pytest.raises(ValueError, match="unknown preset"):
        main(["info", "glow-fashon-mnist", "--debug"])

    monkeypatch.setattr("flowzoo.cards.card.card", lambda name: 1 / 0)
    assert main(["info", "glow-fashion-mnist"]) == UNEXPECTED
    assert "unexpected ZeroDivisionError: division by zero (--debug shows where)" in capsys.readouterr().err


def test_wrong_arguments_exit_with_2():
    for arguments in ([], ["smaple"], ["sample"], ["sample", "x", "--count=0"]):
        with pytest.raises(SystemExit) as stop:
            main(arguments)
        assert stop.value.code == BAD_INPUT


def test_stderr_may_be_closed(monkeypatch):
    monkeypatch.setattr(sys, "stderr", None)
    import_tensorflow()


def test_tensorflow_starts_quietly_but_tells_why_it_fails(tmp_path):
    code = "import os\nfrom flowzoo.cli.quiet import import_tensorflow\nimport_tensorflow()\nos.write(2, b'after')"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stderr == "after"
    (tmp_path / "tensorflow.py").write_text("import os\nos.write(2, b'native note')\nraise ImportError('broken')")
    path = {"PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}
    done = subprocess.run([sys.executable, "-c", code], env=os.environ | path, capture_output=True, text=True)
    assert done.returncode != 0
    assert "native note" in done.stderr
    assert "ImportError: broken" in done.stderr
