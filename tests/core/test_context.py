"""What a pass is for: streams along the path of places, notes and penalties that leave inner bodies, no retracing."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import flowzoo
from flowzoo.bijectors import ActNorm, AffineCoupling, Chain, FeatureMask, Invert, Multiscale, Reverse
from flowzoo.bijectors.backprop import MODES
from flowzoo.conditioners import MLP
from flowzoo.core import random
from flowzoo.core.context import Context
from flowzoo.core.transform import Bijector, Transform
from tests import cases

ROOT = random.row_seeds(3, 4)


class Noisy(Transform):
    """Draws in both directions, as the layer of a VAE."""

    kind, invertible, takes_context = "lower_bound", False, True
    draws = frozenset({"encode", "decode"})

    def _encode(self, x, condition, context):
        return x + random.normal(context.streams, self.event_shape), tf.zeros(tf.shape(x)[:1])

    _decode = _encode


class Traced(Reverse):
    """Notes each time that Python passes through it."""

    passes = ()

    def _encode(self, x, condition):
        self.passes = (*self.passes, "encode")
        return super()._encode(x, condition)

    def _decode(self, z, condition):
        self.passes = (*self.passes, "decode")
        return super()._decode(z, condition)


class Penalized(ActNorm):
    """An ActNorm with a penalty and notes."""

    takes_context = True

    def _encode(self, x, condition, context):
        context.penalize(tf.reduce_sum(x**2, axis=1) * tf.exp(self.log_scale[0]))
        context.note("size", tf.reduce_sum(x, axis=1) * self.shift[0])
        context.note("rows", tf.ones(tf.shape(x)[:1], tf.int32))
        return super()._encode(x, condition)

    def _decode(self, z, condition, context):
        context.note("decoded", tf.ones(tf.shape(z)[:1]))
        return super()._decode(z, condition)


def _coupling(seed):
    split = FeatureMask([seed % 2, 1 - seed % 2, 1, 0])
    network = MLP(split.kept_shape[0], 2 * split.free_shape[0], [5], 2, seed=seed)
    return AffineCoupling((4,), split, network)


def _penalized():
    inner = Chain([Penalized((4,)), _coupling(1), Penalized((4,)), _coupling(2)])
    return cases.randomized(Chain([inner, Invert(Reverse((4,))), Penalized((4,))]))


def test_streams_are_the_root_folded_along_the_path():
    context = Context(ROOT)
    np.testing.assert_array_equal(context.streams, ROOT)
    nested = random.fold_in(random.fold_in(random.fold_in(ROOT, 2), 0), -2)
    np.testing.assert_array_equal(context.at(2).at(0).at(-2).streams, nested)
    np.testing.assert_array_equal(Context(ROOT, (2, tf.constant(0))).at(-2).streams, nested)
    np.testing.assert_array_equal(context.at(2).at(4).beside(3).streams, context.at(2).at(7).streams)


def test_streams_need_a_root():
    context = Context().at(1)  # places cost nothing until somebody draws
    with pytest.raises(ValueError, match=r"need a `root` of \(batch, 2\) int32, .* got None. Pass `.*row_seeds"):
        context.streams  # noqa: B018
    for wrong, got in ((3, r"int of shape \(\)"), (tf.zeros([4, 3], tf.int32), r"EagerTensor of shape \(4, 3\)")):
        with pytest.raises(ValueError, match=rf"`root` must be \(batch, 2\) int32, .* got {got}. Pass `.*row_seeds"):
            Context(wrong)


def test_each_place_draws_noise_of_its_own():
    levels = Multiscale([Chain([Noisy((2, 2, 2)), Noisy((2, 2, 2))]), Noisy((2, 2, 1))])
    x = tf.zeros([4, 2, 2, 2])
    z, _ = levels.encode(x, context=Context(ROOT))
    one = random.normal(random.fold_in(random.fold_in(ROOT, 0), 0), (2, 2, 2))
    other = random.normal(random.fold_in(random.fold_in(ROOT, 0), 1), (2, 2, 2))
    np.testing.assert_array_equal(z[:, :4], tf.reshape((one + other)[..., 1], [4, 4]))
    with pytest.raises(ValueError, match=r"Multiscale draws noise in decode: `context` must have a `root` of \(batch"):
        levels.decode(z)


def test_anything_but_a_context_is_refused():
    for transform in (Chain([Noisy((4,))]), Reverse((4,))):
        for call in (transform.encode, transform.decode, Chain([transform]).adapt):
            with pytest.raises(TypeError, match=r"`context` must be a Context, got \w*Tensor\w*. .*Context\(seeds\)`"):
                call(tf.zeros([4, 4]), None, ROOT)


def test_noise_without_a_context_is_refused():
    class Old(Bijector):
        draws = frozenset({"encode"})

    with pytest.raises(TypeError, match=r"Old draws noise, .* must state `takes_context = True`, got False"):
        Old((2,))


def test_notes_are_sums_that_parts_share_and_bodies_do_not():
    context, ones = Context(ROOT, training=True, memory="remat"), tf.ones(4)
    context.at(0).note("count", ones)
    context.at(1).at(2).note("count", 2.0 * ones)
    own = context.at(1).apart()
    own.note("count", 4.0 * ones)
    assert (own.training, own.memory, own.path) == (True, "remat", (1,)) and own.root is ROOT
    np.testing.assert_array_equal(context.notes["count"], 3.0 * ones)
    context.join(own.notes)
    np.testing.assert_array_equal(context.notes["count"], 7.0 * ones)
    with pytest.raises(ValueError, match=r"`name` must not be 'penalty'.* Call `penalize`"):
        context.note("penalty", ones)


def test_a_note_stops_gradients_and_a_penalty_does_not():
    x, context = tf.ones([4]), Context()
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        context.note("size", 2.0 * x)
        context.penalize(3.0 * x)
        size, penalty = context.notes["size"], context.notes["penalty"]
    assert tape.gradient(size, x) is None
    np.testing.assert_array_equal(tape.gradient(penalty, x), 3.0 * tf.ones([4]))


@pytest.mark.parametrize(("how", "penalized"), [("eager", True), ("eager", False), ("graph", True), ("xla", True)])
def test_notes_leave_a_custom_gradient_and_penalties_keep_theirs(how, penalized):
    chain, numbers = _penalized(), np.random.default_rng(0)
    x, condition = (tf.constant(numbers.normal(size=(6, size)), tf.float32) for size in (4, 2))

    def found(x, condition, mode):
        with tf.GradientTape() as tape:
            tape.watch([x, condition])
            context = Context(memory=mode, training=True)
            z, log_det = chain.encode(x, condition, context)
            loss = tf.reduce_sum(tf.sin(z)) + tf.reduce_sum(log_det)
            loss += tf.reduce_sum(context.notes["penalty"]) if penalized else 0.0
        return context.notes, tape.gradient(loss, [x, condition, *chain.trainable_weights])

    call = found if how == "eager" else tf.function(found, jit_compile=how == "xla")
    notes, expected = found(x, condition, "store")
    assert notes.keys() == {"penalty", "size", "rows"} and (notes["rows"] == 3).numpy().all()
    for mode in MODES[1:]:
        again, gradients = call(x, condition, mode)
        assert again.keys() == notes.keys()
        for one, other in zip([*notes.values(), *expected], [*again.values(), *gradients], strict=True):
            np.testing.assert_allclose(other, one, rtol=1e-4, atol=1e-4)


def test_a_plain_flow_trains_by_its_penalties():
    flow, x = flowzoo.Flow(Penalized((2,))), np.ones((8, 2), "float32")
    before = -flow.log_prob(x).numpy().mean()
    flow.adapts = False
    flow.compile(keras.optimizers.SGD(0.0))
    assert flow.evaluate(x, verbose=0, return_dict=True)["loss"] == pytest.approx(before / 2)
    assert flow.train_on_batch(x) == pytest.approx((before + 2.0) / 2)
    flow.xla = True
    assert flow.train_on_batch(x) == pytest.approx((before + 2.0) / 2)


def test_sampling_draws_in_decode_at_a_place_of_its_own():
    flow = flowzoo.Flow(Chain([Noisy((2,)), Noisy((2,))]))
    z = flow.sample(4, temperature=0.0, seed=ROOT)
    noise = [random.normal(random.fold_in(random.fold_in(ROOT, -2), place), (2,)) for place in (0, 1)]
    np.testing.assert_allclose(z, noise[1] + noise[0], rtol=1e-6)
    assert (np.abs(flow.sample(4, temperature=1.0, seed=ROOT) - z) > 0.0).all()
    seeds = random.row_seeds(5, 32)  # numbers that do not fill a vector of the processor may round differently
    np.testing.assert_array_equal(flow.sample(16, seed=seeds[:16]), flow.sample(32, seed=seeds)[:16])  # row by row


def test_a_context_made_inside_does_not_retrace():
    traced, chain = [], Chain([Noisy((2,)), Reverse((2,))])

    @tf.function
    def encode(x, root):
        traced.append(True)
        return chain.encode(x, None, Context(root))[0]

    found = [encode(tf.zeros([4, 2]), random.row_seeds(seed, 4)) for seed in range(3)]
    assert len(traced) == 1 and (found[0] != found[1]).numpy().all()
    flow = flowzoo.Flow(seen := Traced((2,)))
    for seed in range(3):
        flow.log_prob(np.zeros((4, 2), "float32"), seed=seed)
        flow.sample(4, seed=seed)
    assert seen.passes == ("encode", "decode")
