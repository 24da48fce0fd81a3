"""What holds for the flows of every family, as checks that anyone's family can be put through.

`check_family(MyFlow)` runs all of them; each is a function of a `Case`, for a test suite that runs them one by one.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import inspect
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from flowzoo.bijectors import Standardize
from flowzoo.conditioners import Conditioner
from flowzoo.families.family import Family
from flowzoo.families.options import fields
from flowzoo.families.sentences import description

ROWS, CLASSES = 6, 3
PLACES = 3  # of a condition whose length varies
CONDITIONS = ("classes", "condition_features")


def randomized(layer: keras.layers.Layer, scale: float = 0.3, seed: int = 0) -> keras.layers.Layer:
    """The layer with seeded random numbers added to its trainable weights, and in place of data in `Standardize`.

    A head that starts at zero would make every check vacuous.
    """
    noise = np.random.default_rng(seed)
    for weight in layer.trainable_weights:
        weight.assign_add(scale * noise.standard_normal(weight.shape).astype(weight.dtype))
    for part in layer._flatten_layers():
        if isinstance(part, Standardize):
            part.shift.assign(scale * noise.standard_normal(part.shift.shape))
            part.scale.assign(np.exp(scale * noise.standard_normal(part.scale.shape)))
    return layer


def log_det_of_jacobian(direction: Callable, x: tf.Tensor | np.ndarray, condition: Any = None) -> np.ndarray:
    """log |det dz/dx| of each row, (batch,), by autodiff of a direction (x, condition) -> (z, log_det).

    One reverse pass, with each row repeated for each entry of z, since rows don't affect each other.
    """
    size = int(np.prod(x.shape[1:]))
    rows = tf.repeat(tf.convert_to_tensor(x), size, axis=0)
    with tf.GradientTape() as tape:
        tape.watch(rows)
        z = direction(rows, None if condition is None else tf.repeat(condition, size, axis=0))[0]
        diagonal = tf.linalg.diag_part(tf.reshape(z, [-1, size, size]))
    jacobians = tape.gradient(diagonal, rows).numpy().reshape(-1, size, size)
    return np.linalg.slogdet(jacobians.astype("float64"))[1]


@dataclasses.dataclass(frozen=True)
class Case:
    """A flow with random weights, and data for it.

    Args:
      family: the class.
      options: of its constructor.
    """

    family: type[Family]
    options: dict[str, Any]

    def new(self, **changes: Any) -> Family:
        """Another flow of the same options but for these, with the same random weights."""
        flow = randomized(self.family(**(self.options | changes)))
        flow.xla = False  # compiling takes seconds for each shape
        return flow

    @functools.cached_property
    def flow(self) -> Family:
        """Not to be changed, so that all checks share what it has traced."""
        return self.new()

    def data(self, rows: int = ROWS, seed: int = 1) -> tuple[np.ndarray, np.ndarray | None]:
        """x and condition of this many rows; the condition is None if the flow takes none."""
        flow, numbers = self.flow, np.random.default_rng(seed)

        def drawn(_, space):
            shape = (rows, *(length or PLACES for length in space.shape))
            if space.values:
                return numbers.integers(space.lowest, space.highest + 1, shape, dtype=space.dtype)
            return numbers.normal(size=shape).astype("float32")

        x = drawn(None, flow.x_space)
        return x, flow.condition.map(drawn, flow.condition.whole(dict.fromkeys(flow.condition.spaces)))

    def other(self, condition: np.ndarray) -> np.ndarray:
        """A condition that differs from this one in every row."""
        return self.flow.condition.map(
            lambda value, space: (value + 1) % space.values if space.values else value + 1.0, condition
        )

    def unchecked(self, x: np.ndarray, condition: np.ndarray | None) -> np.ndarray:
        """log p(x) without the checks of arguments."""
        flow = self.flow
        return flow.raw.log_prob_graph(tf.constant(x), _tensor(condition), flow.raw.as_seed(0), 1).numpy()

    @property
    def learned_noise(self) -> bool:
        """Whether the noise has a density with weights, which decode does not see."""
        return any(part.draws and part.trainable_weights for part in self.flow.raw.parts)


def check_options(case: Case) -> None:
    """Options have docs, describe the flow, and are what the constructor, `get_config` and hints say they are."""
    kind, flow = case.family.Options, case.flow
    for name, field in fields(kind).items():
        assert field.metadata.get("doc"), f"the option `{name}` needs a line of docs: make it by `option`"
        assert f"  {name}: " in case.family.__doc__, f"the docstring of the class lacks `{name}`"
    assert [*inspect.signature(case.family).parameters] == [*fields(kind), "name"]
    assert description(flow.options).strip(), "`describe` must return a sentence"
    shapes = [weight.shape for weight in flow.weights]
    most = {"layers": len(shapes), "width": max((size for shape in shapes for size in shape), default=0)}
    for name, count, grows in flow.options.least(case.options):
        assert count <= most[grows], f"{name} {count}: no weights are as many or as long, so leave out `grows`"
    assert flow.get_config() == {**flow.options.config(), "name": flow.name}
    again = case.family.from_config(flow.get_config())
    assert [w.shape for w in again.weights] == [w.shape for w in flow.weights], "a flow of the same config differs"
    with contextlib.suppress(TypeError):
        case.family(no_such_option=1)
        raise AssertionError("an unknown option must raise a TypeError")


def check_round_trip(case: Case) -> None:
    """log p(x) is the base's at z plus log_det; where decode undoes encode, integers come back as they were."""
    flow, (x, condition) = case.flow, case.data()
    z, log_det = flow.encode(x, condition)
    again, back = flow.decode(z, condition)
    assert z.shape == (ROWS, *flow.latent_shape) and log_det.shape == (ROWS,), "encode gives other shapes than it says"
    assert again.dtype == flow.data_dtype, f"decode gives {again.dtype.name}, `data_dtype` is {flow.data_dtype}"
    assert back.shape == (ROWS,) and back.dtype == log_det.dtype
    tolerance = {"rtol": 0, "atol": int(case.learned_noise)} if flow.x_space.values else {"rtol": 1e-4, "atol": 1e-5}
    if flow.transform.invertible:
        np.testing.assert_allclose(again.numpy().astype(float), x, **tolerance, err_msg="decode(encode(x)) is not x")
        assert (flow.reconstruction_error(x, condition).numpy() < 1e-4).all()
        if not case.learned_noise:
            message = "the log_det of decode is not minus that of encode"
            np.testing.assert_allclose(back, -log_det, rtol=1e-4, atol=1e-4, err_msg=message)
    score = flow.log_prob(x, condition)
    assert score.dtype == flow.compute_dtype
    latent = flow.base.log_prob(z, flow.raw.features(_tensor(condition)))
    np.testing.assert_allclose(score, latent + log_det, rtol=1e-5, atol=1e-4)
    np.testing.assert_allclose(flow.bits_per_dim(x, condition), -score / (flow.dims * np.log(2.0)), rtol=1e-5)


def check_jacobian(case: Case) -> None:
    """log_det is that of the Jacobian by automatic differentiation, in float64 where the family takes it."""
    if not case.flow.transform.invertible:
        return
    dtype, tolerance = ("float32", 1e-3) if case.flow.x_space.values else ("float64", 1e-9)
    flow, condition = case.flow if dtype == case.flow.compute_dtype else case.new(dtype=dtype), case.data(2)[1]
    ready = flow.raw.features(flow.condition.map(lambda value, space: _as(value, space, dtype), condition))
    x = np.random.default_rng(0).uniform(0.05, 0.95, (2, *flow.bijection.event_shape)).astype(dtype)
    expected = log_det_of_jacobian(flow.bijection.encode, x, ready)
    found = flow.bijection.encode(x, ready)[1]
    message = "log_det is not that of the Jacobian"
    np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance, err_msg=message)


def check_gradients(case: Case) -> None:
    """The gradient of the loss reaches every weight, finite and not zero."""
    flow, (x, condition) = case.flow, case.data()
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(flow.log_prob(x, condition))
    for weight, gradient in zip(flow.trainable_weights, tape.gradient(loss, flow.trainable_weights), strict=True):
        assert gradient is not None, f"no gradient reaches {weight.path}"
        assert np.isfinite(gradient).all() and np.abs(gradient).max() > 0, f"the gradient of {weight.path} is 0 or NaN"


def check_bfloat16(case: Case) -> None:
    """Where the family lets its networks compute in bfloat16, weights and log p(x) stay float32 and close."""
    layers = case.flow._flatten_layers()
    if "conditioner_dtype" not in case.flow.get_config() or not any(isinstance(one, Conditioner) for one in layers):
        return
    flow, (x, condition) = case.new(conditioner_dtype="mixed_bfloat16"), case.data()
    score, exact = (
        flow.raw.log_prob(tf.constant(x), _tensor(condition), flow.raw.as_seed(0), 1),
        case.unchecked(x, condition),
    )
    assert score.dtype == tf.float32 and {weight.dtype for weight in flow.trainable_weights} == {"float32"}
    np.testing.assert_allclose(score, exact, rtol=0.05, atol=0.5)
    assert (score.numpy() != exact).any(), "`conditioner_dtype` changes nothing: hand `network_dtype` to the networks"


def check_xla(case: Case) -> None:
    """log p(x) under XLA is that of the graph."""
    flow, (x, condition) = case.flow, case.data()
    compiled = flow.raw.log_prob_xla(tf.constant(x), _tensor(condition), flow.raw.as_seed(0), 1)
    np.testing.assert_allclose(compiled, case.unchecked(x, condition), rtol=1e-4, atol=1e-4)


def check_condition(case: Case) -> None:
    """The condition changes densities and samples of every row, and what does not fit is refused."""
    flow, (x, condition) = case.flow, case.data()
    if condition is None:
        _refused(ValueError, "takes no `condition`", lambda: flow.log_prob(x, np.zeros(ROWS, "int32")))
        return
    other = case.other(condition)
    changed = np.abs(flow.log_prob(x, condition) - flow.log_prob(x, other)) > 1e-4
    fix = "hand `condition_size` to every network, or state `conditional = False`"
    assert changed.all(), f"log_prob does not depend on the condition: {fix}"
    # cool, so that integer data is not clipped to the ends of its range
    one, two = (flow.sample(ROWS, part, 0.2, seed=1).numpy().astype(float) for part in (condition, other))
    assert (np.abs(one - two).reshape(ROWS, -1).max(axis=1) > 0).all(), "samples do not depend on the condition"
    _refused(ValueError, "`condition` must be", lambda: flow.log_prob(x))
    short = flow.condition.map(lambda value, _: value[:-1], condition)
    _refused(ValueError, "must be", lambda: flow.log_prob(x, short))
    bad = flow.condition.map(
        lambda value, space: value * 0 + space.values if space.values else value * np.nan, condition
    )
    _refused(ValueError, "must be", lambda: flow.log_prob(x, bad))


def check_refused(case: Case) -> None:
    """A family that takes no condition refuses the options for one."""
    _refused(ValueError, "takes no condition", lambda: case.flow)


def check_refusals(case: Case) -> None:
    """Wrong shapes, kinds of numbers, NaN and values out of range raise errors that say what was expected."""
    flow, (x, condition) = case.flow, case.data()
    for method in (flow.log_prob, flow.encode, flow.score):
        _refused(ValueError, "`x` must have shape (batch, ", lambda method=method: method(x[..., None], condition))
        _refused(ValueError, "for one example pass x", lambda method=method: method(x[0], condition))
    wrong = x.astype("float32") if flow.x_space.values else x.astype("int32")
    _refused(TypeError, "`x` must hold", lambda: flow.log_prob(wrong, condition))
    bad = x.astype("int32") + flow.x_space.values if flow.x_space.values else np.full_like(x, np.inf)
    _refused(ValueError, "`x` must ", lambda: flow.log_prob(bad, condition))
    row = flow.condition.map(lambda value, _: value[:1], condition)
    nan = np.full((1, *flow.latent_shape), np.nan, "float32")
    _refused(ValueError, "`z` must be finite", lambda: flow.decode(nan, row))
    _refused(ValueError, "`samples` must be", lambda: flow.log_prob(x, condition, samples=0))


def check_bad_rows(case: Case) -> None:
    """In a graph, a bad row gets no finite log p(x), and leaves the others as they are, to the last bit."""
    flow, (x, condition) = case.flow, case.data()
    clean, others, scores = case.unchecked(x, condition), np.arange(ROWS) != 2, []
    if condition is not None:
        rows = np.arange(ROWS) == 2

        def spoilt(value, space):
            where = rows.reshape(ROWS, *[1] * (value.ndim - 1))
            return np.where(where, space.values or np.nan, value).astype(value.dtype)

        scores.append(case.unchecked(x, flow.condition.map(spoilt, condition)))
    if flow.x_space.values not in (2**8, 2**16):  # all values of whose dtype are data
        bad = x.copy()
        bad[2] = flow.x_space.highest + 1 if flow.x_space.values else np.nan
        scores.append(case.unchecked(bad, condition))
    for score in scores:
        assert not np.isfinite(score[2]).any(), "a row of NaN got a finite log p(x)"
        np.testing.assert_array_equal(score[others], clean[others], err_msg="a bad row changes its neighbours")


def check_extremes(case: Case) -> None:
    """The largest and smallest values stay finite in both directions."""
    flow, condition = case.flow, case.data()[1]
    values = (
        [flow.x_space.lowest, flow.x_space.highest] * 3
        if flow.x_space.values
        else [1e6, -1e6, 1e-40, -1e-40, 0.0, 1e-30]
    )
    x = np.broadcast_to(np.reshape(values, [ROWS] + [1] * len(flow.event_shape)), (ROWS, *flow.event_shape))
    assert np.isfinite(flow.log_prob(x.astype(flow.data_dtype), condition)).all(), "log p(x) of extreme x is not finite"
    ends = np.reshape([1e6, -1e6, 1e-40, -1e-40, 0.0, 1e-30], [ROWS] + [1] * len(flow.latent_shape))
    ends = np.broadcast_to(ends, (ROWS, *flow.latent_shape)).astype("float32")
    if flow.z_space.on_sphere:  # where the axes meet it
        axes = np.eye(*flow.latent_shape, dtype="float32")
        ends = np.resize(np.concatenate([axes, -axes]), ends.shape)
    x, log_det = flow.decode(ends, condition)
    assert np.isfinite(x.numpy().astype(float)).all() and np.isfinite(log_det).all(), (
        "decode of extreme z is not finite"
    )


def check_neighbours(case: Case) -> None:
    """`score` of a row does not depend on its neighbours, to the last bit; no rows give no scores."""
    flow, rows = case.flow, 37
    x, condition = case.data(rows)
    part = functools.partial(_rows, x, condition)
    score = flow.score(x, condition, batch_size=16)
    assert isinstance(score, np.ndarray) and score.shape == (rows,)
    order = np.random.default_rng(0).permutation(rows)
    message = "the score of a row depends on its neighbours"
    np.testing.assert_array_equal(flow.score(*part(order), batch_size=16), score[order], err_msg=message)
    alone = [flow.score(*part(slice(i, i + 1)), batch_size=16) for i in (0, 35)]
    np.testing.assert_array_equal(np.concatenate(alone), score[[0, 35]], err_msg=message)
    dataset = tf.data.Dataset.from_tensor_slices(x if condition is None else (x, condition)).batch(5)
    np.testing.assert_array_equal(flow.score(dataset, batch_size=16), score)
    assert flow.score(*part(slice(0))).shape == (0,)


def check_noise(case: Case) -> None:
    """Seeds matter if and only if noise is drawn, and more draws do not lower a bound."""
    flow, (x, condition) = case.flow, case.data()
    one, same, other = (flow.log_prob(x, condition, seed=seed).numpy() for seed in (3, 3, 4))
    np.testing.assert_array_equal(one, same, err_msg="the same seed gives other densities")
    if flow.kind == "exact":
        np.testing.assert_array_equal(other, one, err_msg='`kind` is "exact", and yet the seed matters')
        drawn = flow.log_prob(x, condition, seed=5, samples=7)
        np.testing.assert_array_equal(drawn, one, err_msg='`kind` is "exact", and yet `samples` matters')
    if "encode" in flow.transform.draws:
        assert (other != one).any(), "noise does not depend on the seed"
        few = np.stack([flow.log_prob(x, condition, seed=seed) for seed in range(12)])
        many = np.mean([flow.log_prob(x, condition, seed=seed, samples=12) for seed in range(12)])
        error = np.sqrt(few.var(axis=0, ddof=1).mean() / few.size)
        assert many > few.mean() - 3.0 * error, "more draws lower the bound"


def check_interpolation(case: Case) -> None:
    """Interpolations have the shape and dtype of data, and lead from one example to the other."""
    flow, (x, condition) = case.flow, case.data()
    path = flow.interpolate(x, x[::-1], steps=3, condition=condition)
    assert path.shape == (ROWS, 3, *flow.event_shape) and path.dtype == flow.data_dtype
    if condition is None and flow.transform.invertible:
        tolerance = {"rtol": 1e-4, "atol": max(int(case.learned_noise), 1e-4)}
        for end, expected in ((path[:, 0], x), (path[:, -1], x[::-1])):
            np.testing.assert_allclose(end.numpy().astype(float), expected, **tolerance)


def check_samples(case: Case) -> None:
    """The density of a flow on the plane, summed over a square, is the share of samples in it."""
    flow, condition = case.flow, case.data(1)[1]
    if flow.event_shape != (2,) or flow.x_space.values or flow.kind != "exact":
        return
    edges = np.linspace(-4.0, 4.0, 129)
    middles = 0.5 * (edges[1:] + edges[:-1])
    grid = np.stack(np.meshgrid(middles, middles), axis=-1).reshape(-1, 2).astype("float32")
    same = None if condition is None else np.repeat(condition, len(grid), axis=0)
    total = np.exp(flow.score(grid, same, batch_size=4096).astype(float)).sum() * (edges[1] - edges[0]) ** 2
    samples = flow.sample(4096, condition, seed=0, batch_size=4096).numpy()
    share = (np.abs(samples) < 4.0).all(axis=1).mean()
    assert abs(total - share) < 0.04, f"the density sums to {total:.3f} where {share:.3f} of the samples are"


def check_fit(case: Case) -> None:
    """`fit` lowers the loss."""
    flow, (x, condition) = case.new(), case.data(32)
    flow.adapts = False
    flow.compile(keras.optimizers.Adam(0.01), run_eagerly=True)
    losses = flow.fit(x, condition, batch_size=32, epochs=8, shuffle=False, verbose=0).history["loss"]
    assert losses[-1] < losses[0], f"the loss went from {losses[0]:.4f} to {losses[-1]:.4f} in 8 steps"


def check_files(case: Case) -> None:
    """A `.keras` file, a weight file and a SavedModel give the same densities as the flow."""
    flow, (x, condition) = case.flow, case.data()
    expected = flow.log_prob(x, condition)
    with tempfile.TemporaryDirectory() as folder:
        flow.save(Path(folder, "flow.keras"))
        flow.save_weights(Path(folder, "flow.weights.h5"))
        copy = case.family(**case.options)
        copy.load_weights(Path(folder, "flow.weights.h5"))
        objects = {"custom_objects": {case.family.__name__: case.family}}
        for again in (keras.models.load_model(Path(folder, "flow.keras"), **objects), copy):
            again.xla = flow.xla
            np.testing.assert_array_equal(again.log_prob(x, condition), expected, err_msg="a loaded flow differs")
        served = tf.saved_model.load(str(flow.export(Path(folder, "1")))).signatures["log_prob"]
        given = {name: tf.constant(part) for name, part in flow.condition.parted(condition).items()}
        found = served(x=tf.constant(x.astype(flow.data_dtype)), **given)["log_prob"]
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4, err_msg="the SavedModel differs")


def check_distribution(case: Case) -> None:
    """The view as a distribution of TensorFlow Probability has the same densities."""
    flow, (x, condition) = case.flow, case.data()
    if condition is None and flow.kind == "exact":
        found = flow.distribution.log_prob(tf.constant(x.astype(flow.data_dtype)))
        np.testing.assert_allclose(found, flow.log_prob(x), rtol=1e-4, atol=1e-4)


CHECKS: tuple[Callable[[Case], None], ...] = (
    *(check_options, check_round_trip, check_jacobian, check_gradients, check_bfloat16, check_condition),
    *(check_refusals, check_bad_rows, check_extremes, check_neighbours, check_noise, check_interpolation),
    *(check_samples, check_fit, check_files, check_distribution, check_xla),
)


def check_family(family: type[Family], **options: Any) -> None:
    """Puts a family through all checks that flowzoo's own pass: `check_family(MyFlow, depth=2)`.

    A flow of these options is built with random weights, and two more that take a class or a condition vector; a family
    whose options say `conditional = False` must refuse these. Small options make it quick: most of the time goes into
    tracing.

    Args:
      family: a subclass of `flowzoo.families.family.Family`, registered with Keras.
      **options: of its constructor; the defaults otherwise.

    Raises:
      AssertionError: something does not hold; it names the check and says what.
    """
    case = Case(family, options)
    for check in CHECKS:
        _run(check, case, "")
    taken = (check_condition, check_round_trip, check_bad_rows) if family.Options.conditional else (check_refused,)
    for name in CONDITIONS:
        if not case.flow.condition:
            with _eagerly():
                for check in taken:
                    _run(check, Case(family, options | {name: CLASSES}), f" with {name}={CLASSES}")


def _run(check, case, what):
    try:
        check(case)
    except Exception as error:
        raise AssertionError(f"{case.family.__name__}{what} fails {check.__name__}: {error}") from error


@contextlib.contextmanager
def _eagerly() -> Iterator[None]:
    """Without graphs, which cost more than what they compute here."""
    tf.config.run_functions_eagerly(True)
    try:
        yield
    finally:
        tf.config.run_functions_eagerly(False)


def _refused(kind: type[Exception], message: str, call: Callable[[], Any]) -> None:
    try:
        call()
    except kind as error:
        assert message in str(error), f"expected an error with {message!r}, got {error}"
    else:
        raise AssertionError(f"expected a {kind.__name__} with {message!r}, got none")


def _tensor(condition):
    return None if condition is None else tf.nest.map_structure(tf.constant, condition)


def _as(value, space, dtype):
    """A condition as a tensor in the dtype of a flow."""
    return tf.constant(value, space.dtype if space.values else dtype)


def _rows(x, condition, which):
    return x[which], None if condition is None else tf.nest.map_structure(lambda value: value[which], condition)
