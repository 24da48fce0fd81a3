"""The client and the wire: REST and gRPC give what Python gives, and bad input is refused and the server runs on."""

import contextlib
import io
import os
import re
import socket
import subprocess
import threading
from pathlib import Path

import numpy as np
import pytest
import requests
from google.protobuf import text_format
from PIL import Image

import flowzoo
from flowzoo.serving import BadRequest, Client, ServingError, TimedOut, Unavailable, client
from tests import cases
from tests.serving.conftest import CONDITION, IMAGES, SEVERAL, VECTORS, several

pytestmark = pytest.mark.serving
config = "tensorflow_serving.config.model_server_config_pb2"
model_server_config_pb2 = pytest.importorskip(config, reason="needs flowzoo[serving]")
rpc = pytest.importorskip("flowzoo.serving.rpc")
WAYS = pytest.mark.parametrize("way", [0, 1], ids=["rest", "grpc"])


def png(array, form="PNG"):
    """An encoded image."""
    file = io.BytesIO()
    Image.fromarray(array).save(file, form)
    return file.getvalue()


@WAYS
def test_a_server_gives_what_python_gives(way, addresses):
    flow, x = cases.flow(VECTORS), np.random.default_rng(0).normal(size=(11, 2)).astype("float32")
    with Client(addresses[way], VECTORS, batch_size=4) as served:
        np.testing.assert_allclose(served.log_prob(x), flow.log_prob(x), rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(served.bits_per_dim(x), flow.bits_per_dim(x), rtol=1e-5, atol=1e-5)
        z, log_det = served.encode(x)
        np.testing.assert_allclose(z, flow.encode(x)[0], rtol=1e-4, atol=1e-4)
        again, back = served.decode(z)
        np.testing.assert_allclose(again, x, atol=1e-4)
        np.testing.assert_allclose(back, -log_det, atol=1e-4)
        samples = served.sample(11, temperature=0.8, seed=5)
        np.testing.assert_allclose(samples, flow.sample(11, temperature=0.8, seed=5), rtol=1e-5, atol=1e-5)
        assert served.log_prob(x[:0]).shape == (0,)
        assert Client(addresses[way], VECTORS, version=1).signatures == served.signatures


@WAYS
def test_a_condition_goes_along(way, addresses):
    (x, condition), flow = cases.flow_data(CONDITION), cases.flow(CONDITION)
    with Client(addresses[way], CONDITION) as served:
        np.testing.assert_allclose(served.log_prob(x, condition), flow.log_prob(x, condition), rtol=1e-4, atol=1e-4)
        with pytest.raises(ValueError, match="`log_prob` takes condition, x, got x"):
            served.log_prob(x)
        with pytest.raises(ValueError, match="the same number of rows"):
            served.log_prob(x, condition[:2])
        found = served.sample(3, condition[:1], seed=5)  # one row is for all samples
        np.testing.assert_allclose(found, flow.sample(3, condition[:1], seed=5), rtol=1e-4, atol=1e-4)


@WAYS
def test_several_conditions_go_along_by_name(way, addresses):
    """One of them a sequence, whose length the signature leaves open."""
    flow, x, given = several()
    with Client(addresses[way], SEVERAL) as served:
        for length in (6, 3):
            part = given | {"words": given["words"][:, :length]}
            np.testing.assert_allclose(served.log_prob(x, part), flow.log_prob(x, part), rtol=1e-4)
        z, _ = served.encode(x, given)
        np.testing.assert_allclose(z, flow.encode(x, given)[0], rtol=1e-4, atol=1e-4)
        np.testing.assert_array_equal(served.decode(z, given)[0], flow.decode(z, given)[0])
        one = {"label": 2, "words": given["words"][:1]}
        np.testing.assert_array_equal(served.sample(3, one, seed=5), flow.sample(3, one, seed=5))
        with pytest.raises(ValueError, match="`log_prob` takes label, words, x, got label, x"):
            served.log_prob(x, {"label": given["label"]})


@WAYS
def test_images_are_decoded_and_resized_in_the_graph(way, addresses):
    numbers, flow = np.random.default_rng(0), cases.flow(IMAGES)
    gray, colour = (numbers.integers(0, 256, shape, dtype=np.uint8) for shape in ((4, 4), (4, 4, 3)))
    large = np.kron(gray, np.ones((5, 5), np.uint8))
    wide = np.pad(large, [(0, 0), (6, 6)], constant_values=7)  # its centre is `large`
    images = [png(gray), png(colour), png(gray, "JPEG"), png(large), png(wide)]
    as_pillow = [
        gray,
        np.asarray(Image.fromarray(colour).convert("L")),
        np.asarray(Image.open(io.BytesIO(images[2]))),
    ]
    with Client(addresses[way], IMAGES) as served:
        found = served.score_images(images)
        np.testing.assert_allclose(found["log_prob"][:3], flow.log_prob(np.stack(as_pillow)[..., None]), rtol=1e-4)
        np.testing.assert_allclose(
            found["bits_per_dim"][:3], flow.bits_per_dim(np.stack(as_pillow)[..., None]), rtol=1e-4
        )
        assert found["log_prob"][3] == pytest.approx(found["log_prob"][4]) and np.isfinite(found["log_prob"]).all()


def _bad():
    image, nan = png(np.zeros((40, 40), np.uint8)), float("nan")
    deep, clear = np.zeros((4, 4), np.uint16), np.zeros((4, 4, 4), np.uint8)
    huge = image[:16] + (2**16).to_bytes(4, "big") * 2 + image[24:]
    half = image[:16] + (2900).to_bytes(4, "big") * 2 + image[24:]  # decoded, it would be invalid
    moving, still = io.BytesIO(), Image.fromarray(np.zeros((4, 4), np.uint8))
    still.save(moving, "PNG", save_all=True, append_images=[Image.fromarray(np.ones((4, 4), np.uint8))])
    key, inks = io.BytesIO(), io.BytesIO()
    still.save(key, "PNG", transparency=0)
    still.convert("CMYK").save(inks, "JPEG")
    broken = image[:-30] + bytes(10) + image[-20:]
    cut = b"\xff\xd8\xff\xfe\0\4\xff\xd9" + png(np.zeros((40, 40), np.uint8), "JPEG")[2:-4]  # an end in its comment
    one = {"x": [[0.0, 0.0]]}
    return {  # model, signature, inputs, what the answer says
        "shape": (
            VECTORS,
            "log_prob",
            {"x": [[0.0, 1.0, 2.0]]},
            r"\[1,3\] is not compatible with expected shape \[\?,2\]",
        ),
        "rank": (VECTORS, "encode", {"x": [0.0, 1.0]}, r"\[2\] is not compatible with expected shape \[\?,2\]"),
        "name": (VECTORS, "log_prob", {"y": [[0.0, 1.0]]}, "expected: .*'x'.*Missing"),
        "signature": (VECTORS, "nothing", one, "not found"),
        "model": ("nothing", "log_prob", one, "not found"),
        "nan": (VECTORS, "log_prob", {"x": [[0.0, 0.0], [nan, 1.0]]}, r"expected `x` of finite numbers, got.*\[1\]"),
        "infinite": (VECTORS, "decode", {"z": [[0.0, float("inf")]]}, "expected `z` of finite numbers"),
        "temperature": (
            VECTORS,
            "sample",
            {"seed": [[0, 1]], "temperature": [-1.0]},
            "`temperature` of finite numbers >= 0",
        ),
        "rows": (
            VECTORS,
            "sample",
            {"seed": [[0, 1]] * 2, "temperature": [1.0]},
            "as many rows as `seed`, got.*1.*and.*2",
        ),
        "no image": (IMAGES, "serving_bytes", {"image_bytes": [b"GIF89a"]}, "expected a PNG or JPEG file"),
        "truncated": (IMAGES, "serving_bytes", {"image_bytes": [image[:-20]]}, "expected a whole PNG or JPEG file"),
        "broken": (IMAGES, "serving_bytes", {"image_bytes": [broken]}, "Invalid PNG data.*expected_a_whole_PNG"),
        "broken JPEG": (IMAGES, "serving_bytes", {"image_bytes": [cut]}, "Invalid JPEG data.*expected_a_whole_PNG"),
        "headless": (IMAGES, "serving_bytes", {"image_bytes": [cut[:20]]}, "Invalid JPEG data.*expected_a_whole_PNG"),
        "deep": (
            IMAGES,
            "serving_bytes",
            {"image_bytes": [png(deep)]},
            "expected an image of 8 bits per channel, got.*16",
        ),
        "clear": (IMAGES, "serving_bytes", {"image_bytes": [png(clear)]}, "expected gray or RGB without transparency"),
        "huge": (
            IMAGES,
            "serving_bytes",
            {"image_bytes": [huge]},
            "expected an image of 1 ... 16777216 pixels, got.*65536",
        ),
        "bomb": (
            IMAGES,
            "serving_bytes",
            {"image_bytes": [half, half]},
            "expected images of at most 16777216 pixels in one request, got.*16820000",
        ),
        "animated": (
            IMAGES,
            "serving_bytes",
            {"image_bytes": [moving.getvalue()]},
            "expected one image, got an animat",
        ),
        "key": (IMAGES, "serving_bytes", {"image_bytes": [key.getvalue()]}, "transparency, got a transparent PNG"),
        "inks": (
            IMAGES,
            "serving_bytes",
            {"image_bytes": [inks.getvalue()]},
            "expected gray or RGB without.*4.*channels",
        ),
        "nothing": (
            IMAGES,
            "serving_bytes",
            {"image_bytes": [b""]},
            "expected a PNG or JPEG file, got something else of",
        ),
    }


@WAYS
@pytest.mark.parametrize("name", _bad())
def test_bad_input_is_refused_saying_what_was_expected(name, way, addresses):
    model, signature, inputs, expected = _bad()[name]
    kinds = {"seed": "int32", "image_bytes": "object"}
    arrays = {key: np.array(value, kinds.get(key, "float32")) for key, value in inputs.items()}
    with (
        Client(addresses[way], model, retries=0) as served,
        pytest.raises(ServingError, match=f"(?s){expected}") as found,
    ):
        served._transport.predict(signature, arrays, {})  # past the checks of the client
    assert isinstance(found.value, BadRequest) or name == "signature"
    if name not in ("signature", "model"):
        assert ("INVALID_ARGUMENT" if way else ": 400: ") in str(found.value)
    with Client(addresses[way], VECTORS) as served:  # the server keeps running
        assert np.isfinite(served.log_prob(np.zeros((1, 2), "float32"))).all()


def test_another_dtype_or_too_much_is_refused(addresses):
    many, doubles = 2**20 + 1, np.zeros((1, 2))
    seeds = {"seed": np.zeros((many, 2), np.int32), "temperature": np.zeros(many, np.float32)}
    for model, signature, inputs, expected in (
        (VECTORS, "log_prob", {"x": doubles}, "float"),
        (IMAGES, "log_prob", {"x": np.zeros((many, 4, 4, 1), np.uint8)}, "at most 1048576 rows .* got 1048577"),
        (IMAGES, "sample", seeds, "`seed` of at most 1048576 rows .* got 1048577"),  # of what they would become
    ):
        with Client(addresses[1], model, retries=0) as served, pytest.raises(BadRequest, match=expected):
            served._transport.predict(signature, inputs, {})
    url = f"{addresses[0]}/v1/models/{IMAGES}:predict"
    zeros = np.zeros((1, 4, 4, 1), int).tolist()
    for body in (
        '{"inputs": {"x": "zero"}}',
        '{"inputs": {"x": [[[[0.5]]]]}}',
        '{"inputs": {"x": [[[[300]]]]}}',
        "[",
        "{}",
    ):
        answer = requests.post(url, data=body, timeout=10)
        assert answer.status_code == 400 and "xpected" in answer.json()["error"], body
    for body in ({"inputs": zeros}, {"instances": zeros}, {"instances": [{"x": zeros[0]}]}, {"inputs": {"x": zeros}}):
        assert len(requests.post(url, json=body, timeout=10).json()["outputs"]) == 1


@WAYS
def test_a_value_is_checked_before_it_is_sent(way, addresses):
    with Client(addresses[way], IMAGES) as served:
        x = np.zeros((2, 4, 4, 1), np.uint8)
        for bad, expected in (
            (x[0], r"`x` must have shape \(batch, 4, 4, 1\), got \(4, 4, 1\)"),
            (x / 2, "`x` must be uint8, got float64"),
            (x.astype(int) - 1, "`x` must be uint8, 0 ... 255, got -1 ... -1"),
        ):
            with pytest.raises(ValueError, match=expected):
                served.log_prob(bad)
        with pytest.raises(ValueError, match=r"`temperature` must be one finite number >= 0 or \(3,\) of them"):
            served.sample(3, temperature=[1.0, 2.0])
        with pytest.raises(ValueError, match="`image_bytes` must hold bytes"):
            served.score_images(["no"])
        with pytest.raises(ValueError, match=r"no signature 'log-prob'. Did you mean 'log_prob'"):
            served.predict("log-prob", x=x)
    with pytest.raises(ValueError, match="must begin with http://"):
        Client("localhost:8501", IMAGES)


@WAYS
def test_a_server_that_is_not_there_is_asked_again(way, monkeypatch):
    monkeypatch.setattr(client, "PAUSE", 0.001)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = ("http", "grpc")[way] + f"://127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(Unavailable, match="Gave up after 3 attempts"):
        Client(address, VECTORS, retries=2).log_prob(np.zeros((1, 2), "float32"))


@WAYS
def test_a_server_that_is_silent_is_not(way):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        held = []
        threading.Thread(target=lambda: held.append(silent.accept()), daemon=True).start()
        address = ("http", "grpc")[way] + f"://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(TimedOut):
            _ = Client(address, VECTORS, timeout=0.3).signatures


@contextlib.contextmanager
def answering(text):
    """The address of a server that answers everything by this text, and what it was asked."""
    asked, text = [], text.replace("\r\n", "\r\nConnection: close\r\n", 1)  # else it might be asked as it closes

    def answer():
        with contextlib.suppress(OSError):  # until the socket is closed
            while True:
                connection = server.accept()[0]
                asked.append(connection.recv(2**16))
                connection.sendall(text.encode())
                connection.close()

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=answer, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}", asked


@pytest.mark.parametrize(
    ("status", "body", "size", "kind", "expected"),
    [
        ("200 OK", "<html>", 6, ServingError, "200: expected 'metadata' of TensorFlow Serving, got '<html>'"),
        ("200 OK", "[1]", 3, ServingError, "expected 'metadata'"),
        ("400 Bad Request", '"no"', 4, BadRequest, '400: "no"'),
        ("429 Too Many Requests", "{}", 2, ServingError, "429"),
        ("200 OK", "{", 99, Unavailable, "Gave up after 2 attempts"),  # killed in the middle of its answer
    ],
)
def test_what_is_no_answer_of_the_protocol_is_told(status, body, size, kind, expected, monkeypatch):
    monkeypatch.setattr(client, "PAUSE", 0.001)
    answer = f"HTTP/1.1 {status}\r\nContent-Length: {size}\r\n\r\n{body}"
    with answering(answer) as (address, asked), pytest.raises(ServingError, match=expected) as found:
        _ = Client(address, VECTORS, retries=1).signatures
    assert type(found.value) is kind and len(asked) == (2 if kind is Unavailable else 1)


def test_a_server_says_when_to_ask_again(monkeypatch):
    pauses, message = [], r"503: {} Gave up after 2 attempts"
    monkeypatch.setattr("urllib3.util.retry.time.sleep", pauses.append)
    answer = "HTTP/1.1 503 Service Unavailable\r\nRetry-After: {}\r\nContent-Length: 2\r\n\r\n{{}}"
    for said, waited in ((3, 3), (99, 7.0), ("soon", None)):
        pauses.clear()
        with answering(answer.format(said)) as (address, asked), pytest.raises(Unavailable, match=message):
            _ = Client(address, VECTORS, retries=1, timeout=7.0).signatures
        assert len(asked) == 2 and pauses == [waited] * (waited is not None)


def test_a_message_too_large_for_grpc_is_not_sent_again(addresses, monkeypatch):
    monkeypatch.setattr(rpc, "LARGEST", 2**15)
    with Client(addresses[1], VECTORS, batch_size=2**13) as served, pytest.raises(BadRequest, match="larger than max"):
        served.log_prob(np.zeros((2**13, 2), "float32"))


def test_the_example_of_the_docs(addresses, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    x = cases.flow_data(IMAGES)[0]
    (tmp_path / "shirt.png").write_bytes(png(x[0, ..., 0]))
    page = (Path(__file__).parents[2] / "docs" / "serving.md").read_text()
    example = next(text for text in re.findall(r"```text\n(.*?)```", page, re.DOTALL) if "Client" in text)
    example = example.replace("grpc://localhost:8500", addresses[1]).replace("glow-fashion-mnist", IMAGES)
    exec(example, {"x": x})


def test_the_files_for_tensorflow_serving_are_well_formed():
    folder = Path(__file__).parents[2] / "examples" / "serving"
    configs = text_format.Parse((folder / "models.config").read_text(), model_server_config_pb2.ModelServerConfig())
    for config in configs.model_config_list.config:
        assert config.base_path == f"/models/{config.name}" and config.name in flowzoo.list_presets(weights=True)
    compose = (folder / "compose.yaml").read_text()
    assert re.search(r"image: tensorflow/serving:\$\{TF_SERVING_VERSION:-\d+\.\d+\.\d+\}", compose)  # pinned


def test_check_sh_goes_through_with_files_that_any_container_may_read(tmp_path):
    stubs = {
        "docker": 'stat -c %A "$CONFIG" "$MODELS" "$MODELS"/* >> "$SEEN"',
        "curl": "echo AVAILABLE",
        "python": 'if [ "$2" = pytest ]; then echo "$FLOWZOO_SERVING_REST" >> "$SEEN"; else mkdir -p "$3/models/m"; fi',
    }
    for name, text in stubs.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / name).chmod(0o755)
    seen = tmp_path / "seen"
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "SEEN": str(seen), "PYTHON": "python"}
    script = Path(__file__).parents[2] / "examples" / "serving" / "check.sh"
    assert subprocess.run(["bash", script], env=environment, umask=0o077, timeout=60).returncode == 0
    lines = seen.read_text().split()
    assert lines == ["drwxr-xr-x"] * 3 + ["http://127.0.0.1:8501"] + ["drwxr-xr-x"] * 3  # up, the tests, down


def test_a_server_that_comes_back_is_found(addresses, monkeypatch):
    monkeypatch.setattr(client, "PAUSE", 0.001)
    served, answers = Client(addresses[0], VECTORS), [Unavailable("away"), Unavailable("away")]
    ask = served._transport.signatures

    def signatures():
        if answers:
            raise answers.pop()
        return ask()

    served._transport.signatures = signatures
    assert "log_prob" in served.signatures and not answers
