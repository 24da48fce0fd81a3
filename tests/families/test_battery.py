"""The checks of `flowzoo.testing` for every flow of tests/cases.py, and messages in full."""

import numpy as np
import pytest
import tensorflow as tf

from flowzoo import flows, testing
from tests import cases

# what a density under XLA, a fit, files, samples and the view of TFP are like has tests of its own
ELSEWHERE = {
    testing.check_xla,
    testing.check_fit,
    testing.check_files,
    testing.check_samples,
    testing.check_distribution,
}
CHECKS = [check for check in testing.CHECKS if check not in ELSEWHERE]
REPRESENTATIVES = ["maf", "glow-classes", "realnvp-condition"]
SMALL = [name for name, (_, config) in cases.FLOWS.items() if len(config.get("event_shape", (2,))) == 1]


@pytest.mark.parametrize("name", cases.FLOWS)
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_every_flow_passes(check, name):
    check(cases.case(name))


@pytest.mark.parametrize("name", ["realnvp-condition", "glow-classes"])  # of every row: test_compiled.py
def test_xla_equals_graph(name):
    testing.check_xla(cases.case(name))


def test_every_family_has_a_row_of_vectors():
    assert {cases.FLOWS[name][0] for name in SMALL} == set(flows.FAMILIES)


@pytest.mark.parametrize("name", cases.FLOWS)
def test_a_bound_is_called_one(name):
    model = cases.flow(name)
    bound = bool(model.x_space.values) or "encode" in model.transform.draws
    assert model.kind == ("lower_bound" if bound else "exact")


@pytest.mark.parametrize("name", REPRESENTATIVES)
def test_the_door_names_what_is_wrong(name):
    model, (x, condition) = cases.flow(name), cases.flow_data(name)
    for method in (model.log_prob, model.encode, model.score):
        with pytest.raises(ValueError, match=r"`x` must have shape \(batch, .*got \(6,.*, 1\)"):
            method(x[..., None], condition)
        with pytest.raises(ValueError, match="for one example pass x"):
            method(x[0], condition)
    wrong = x.astype("float32") if model.bits else x.astype("int32")
    with pytest.raises(TypeError, match=r"`x` must hold (integers|floating-point numbers).*got dtype"):
        model.log_prob(wrong, condition)
    if model.bits:
        with pytest.raises(ValueError, match=rf"integers 0 ... {2**model.bits - 1}, got values from"):
            model.log_prob(x.astype("int32") + 2**model.bits, condition)
    else:
        with pytest.raises(ValueError, match="must be finite, got NaN or infinity in 2 of 6 rows, first in row 1"):
            model.log_prob(np.where(np.isin(np.arange(6), [1, 4])[:, None], np.inf, x), condition)
    with pytest.raises(ValueError, match="`z` must be finite"):
        model.decode(np.full((1, *model.latent_shape), np.nan, "float32"), None if condition is None else condition[:1])
    with pytest.raises(ValueError, match="`samples` must be a whole number >= 1, got 0"):
        model.log_prob(x, condition, samples=0)


@pytest.mark.parametrize("name", REPRESENTATIVES)
def test_the_door_checks_the_condition(name):
    model, (x, condition) = cases.flow(name), cases.flow_data(name)
    if condition is None:
        with pytest.raises(ValueError, match="takes no `condition`, got one"):
            model.log_prob(x, np.zeros(6, "int32"))
        return
    with pytest.raises(ValueError, match=r"`condition` must be \(6,.*got None"):
        model.log_prob(x)
    with pytest.raises(ValueError, match=r"`condition` must be \(6,.*shape \(5,"):
        model.log_prob(x, condition[:5])
    if model.classes:
        with pytest.raises(ValueError, match=r"labels 0 ... 2, got labels from 0 to 3"):
            model.log_prob(x, np.array([0, 1, 2, 3, 1, 0]))
    else:
        with pytest.raises(ValueError, match="must be finite"):
            model.log_prob(x, condition * np.nan)


@pytest.mark.parametrize("name", [*SMALL, "glow-variational"])
def test_an_empty_batch_gives_empty_results(name):
    model, (x, condition) = cases.flow(name), cases.flow_data(name)
    x, condition = x[:0], None if condition is None else condition[:0]
    tf.config.run_functions_eagerly(name in SMALL)  # saves tracing
    try:
        z, log_det = model.encode(x, condition)
        again, back = model.decode(z, condition)
        values = (log_det, back, model.log_prob(x, condition))
        assert z.shape == (0, *model.latent_shape) and {value.shape for value in values} == {(0,)}
        for images in (again, model.sample(0, condition)):
            assert images.shape == (0, *model.event_shape) and images.dtype == model.data_dtype
    finally:
        tf.config.run_functions_eagerly(False)
