"""The recipe: what it accepts, and the learning rate it asks for."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from flowzoo.record.recipe import OPTIMIZERS, Recipe
from flowzoo.training.optimizer import learning_rate, optimizer


def rates(recipe, *steps):
    return [float(learning_rate(recipe)(step)) for step in steps]


def test_warm_up_then_cosine():
    recipe = Recipe(steps=110, learning_rate=0.1, warmup_steps=10, final_learning_rate=0.001)
    assert rates(recipe, 0, 5, 10) == pytest.approx([0.01, 0.055, 0.1], rel=1e-5)
    assert rates(recipe, 60, 110, 500) == pytest.approx([0.0505, 0.001, 0.001], rel=1e-4)
    values = rates(recipe, *range(10, 111))
    assert np.all(np.diff(values) < 0)


def test_other_schedules():
    assert rates(Recipe(steps=10, learning_rate=0.1), 0, 10) == pytest.approx([0.1, 0.0], abs=1e-8)
    constant = Recipe(steps=10, learning_rate=0.1, warmup_steps=2, decay="constant")
    assert rates(constant, 0, 2, 9, 99) == pytest.approx([0.05, 0.1, 0.1, 0.1])
    assert rates(Recipe(steps=1, learning_rate=0.1, warmup_steps=50), 0) == pytest.approx([0.1])


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizers(name):
    made = optimizer(Recipe(steps=10, optimizer=name, clip_norm=3.0, ema=0.9))
    assert (made.global_clipnorm, made.use_ema, made.ema_momentum) == (3.0, True, 0.9)
    plain = optimizer(Recipe(steps=10, optimizer=name))
    assert plain.global_clipnorm is None and not plain.use_ema


def test_the_moving_average_soon_forgets_the_initial_weights():
    made = optimizer(Recipe(steps=200, optimizer="sgd", learning_rate=1.0, decay="constant", ema=0.9))
    weight = keras.Variable([100.0])
    made.build([weight])
    values = np.random.default_rng(0).standard_normal(200)
    expected = 100.0
    for step, value in enumerate(values):
        made.apply([tf.convert_to_tensor(weight) - value])  # the weight is `value` after it
        momentum = min(0.9, step / (10 + step))
        expected = momentum * expected + (1 - momentum) * value
        if step == 19:
            assert abs(expected) < 1.0  # with a constant 0.9 it were 12
    (average,) = made._model_variables_moving_average
    np.testing.assert_allclose(average, [expected], rtol=1e-4)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"steps": 0}, r"`training\.steps` must be an integer >= 1 .*, got 0"),
        ({"ema": 1.0}, r"`training\.ema` must be a number from 0 to below 1, got 1\.0"),
        ({"optimizer": "adamm"}, r"must be one of 'adam', .*got 'adamm'"),
        ({"decay": "linear"}, "must be one of 'cosine', 'constant', got 'linear'"),
        ({"learning_rate": 0.0}, "a finite number > 0"),
        ({"finish_steps": 11, "finish_split": "x"}, r"`training\.finish_steps` must be 0 to `steps`, got 11"),
        ({"patience": 2, "finish_steps": 5, "finish_split": "x"}, r"`training\.patience` must be 0 with"),
        ({"finish_steps": 5}, r"`training\.finish_split` must be named where .*, got ''"),
        ({"finish_split": "x"}, r"`training\.finish_split` must be named where .*, got 'x'"),
        ({"momentum": 1}, r"unknown key `training\.momentum`"),
    ],
)
def test_wrong_recipes(wrong, message):
    with pytest.raises(ValueError, match=message):
        Recipe.from_dict({"steps": 10} | wrong)


def test_steps_are_needed():
    with pytest.raises(ValueError, match=r"missing key `training\.steps`"):
        Recipe.from_dict({})
