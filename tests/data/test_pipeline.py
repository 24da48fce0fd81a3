import numpy as np
import pytest
import tensorflow as tf

from flowzoo import data


def elements(**arguments):
    return list(data.load("fashion_mnist", **arguments).as_numpy_iterator())


def indices(images, batches):
    """Which of `images` each element of the batches is."""
    known = {image.tobytes(): index for index, image in enumerate(images)}
    return [known[image.tobytes()] for batch in batches for image in batch]


def same(some, others):
    return len(some) == len(others) and all(map(np.array_equal, some, others))


def test_unshuffled_is_the_order_of_the_data(examples):
    images, _ = examples
    batches = elements(batch_size=16, epochs=2)
    assert [len(batch) for batch in batches] == [16, 16, 16, 2] * 2
    assert indices(images, batches) == [*range(50), *range(50)]
    assert same(elements(), list(images))


def test_labels_belong_to_their_images(examples):
    images, labels = examples
    for x, label in data.load("fashion_mnist", batch_size=7, shuffle=True, labels=True):
        assert label.dtype == tf.int32
        assert label.numpy().tolist() == labels[indices(images, [x.numpy()])].tolist()


def test_every_epoch_is_another_permutation(examples):
    images, _ = examples
    order = np.reshape(indices(images, elements(batch_size=10, shuffle=True, epochs=4)), [4, 50])
    assert np.array_equal(np.sort(order), np.tile(np.arange(50), [4, 1]))
    assert len(np.unique(order, axis=0)) == 4
    other = indices(images, elements(batch_size=10, shuffle=True, seed=1))
    assert other != order[0].tolist()


def test_the_order_never_changes(examples):
    images, _ = examples  # a change here changes what every recipe of the zoo trains on
    order = indices(images, elements(batch_size=10, shuffle=True, seed=3))
    assert order[:6] == [3, 12, 4, 49, 44, 45]


def test_every_example_comes_first_equally_often(examples):
    images, _ = examples
    batches = [elements(batch_size=25, shuffle=True, seed=seed, epochs=20)[::2] for seed in (0, -5)]
    order = np.reshape([indices(images, halves) for halves in batches], [40, 25])
    counts = np.bincount(order[:, :10].ravel(), minlength=50)  # 400 draws, 8 of each expected
    assert ((counts - 8) ** 2 / 8).sum() < 86  # chi-square with 49 degrees of freedom: 0.1 %


@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize(("batch_size", "drop_remainder"), [(None, False), (16, False), (16, True)])
def test_start_step_continues_the_uninterrupted_stream(examples, batch_size, drop_remainder, shuffle):
    flags = {"batch_size": batch_size, "shuffle": shuffle, "drop_remainder": drop_remainder, "seed": 7}
    flags |= {"flip": True, "shift": 3} if shuffle else {}
    whole = elements(epochs=3, **flags)
    for start in (1, 4, 8, len(whole) - 1, len(whole) + 9):
        rest = data.load("fashion_mnist", epochs=3, start_step=start, **flags)
        assert same(list(rest.as_numpy_iterator()), whole[start:])
        assert rest.cardinality() == max(0, len(whole) - start)
    forever = data.load("fashion_mnist", epochs=None, start_step=5, **flags)
    assert forever.cardinality() == tf.data.INFINITE_CARDINALITY
    assert same(list(forever.take(len(whole) - 5).as_numpy_iterator()), whole[5:])


def test_a_late_start_costs_nothing(examples):
    assert len(next(iter(data.load("mnist", batch_size=16, shuffle=True, epochs=None, start_step=10**12)))) in (2, 16)


def test_two_calls_and_two_passes_give_the_same(examples):
    arguments = {"batch_size": 9, "shuffle": True, "flip": True, "epochs": 2}
    stream = data.load("fashion_mnist", **arguments)
    once = list(stream.as_numpy_iterator())
    assert same(once, list(stream.as_numpy_iterator()))
    assert same(once, elements(**arguments))


def test_flips_mirror_half_of_the_images_anew_each_epoch(examples):
    plain = np.concatenate(elements(batch_size=10, epochs=8, shuffle=True))
    flipped = np.concatenate(elements(batch_size=10, epochs=8, shuffle=True, flip=True))
    mirrored = np.array([not np.array_equal(a, b) for a, b in zip(plain, flipped, strict=True)])
    assert np.array_equal(flipped[mirrored], plain[mirrored][:, :, ::-1])
    assert 150 < mirrored.sum() < 250
    unshuffled = elements(epochs=2, flip=True)
    assert not same(unshuffled[:50], unshuffled[50:])
    assert same(unshuffled, list(np.concatenate(elements(epochs=2, flip=True, batch_size=12))))


def test_shifts_move_images_anew_each_epoch_and_mirror_what_comes_in(examples):
    plain = np.concatenate(elements(batch_size=10, epochs=8, shuffle=True))
    moved = np.concatenate(elements(batch_size=10, epochs=8, shuffle=True, shift=2))
    padded = np.pad(plain, [(0, 0), (2, 2), (2, 2), (0, 0)], mode="reflect")
    every = [padded[:, dy : dy + 28, dx : dx + 28] for dy in range(5) for dx in range(5)]
    same_as = np.array([(crop == moved).all(axis=(1, 2, 3)) for crop in every])
    assert same_as.any(axis=0).all()
    unique = same_as.sum(axis=0) == 1  # an image of one value is the same wherever it is moved
    counts = same_as[:, unique].sum(axis=1)
    assert unique.sum() > 350 and counts.min() > 0 and counts.max() < 40  # 16 of each are expected
    unshuffled = elements(epochs=2, shift=2)
    assert not same(unshuffled[:50], unshuffled[50:])
    assert same(unshuffled, list(np.concatenate(elements(epochs=2, shift=2, batch_size=12))))


@pytest.mark.parametrize("bits", [1, 5, 8])
def test_bits_keep_the_highest(examples, bits):
    (x,) = elements(batch_size=50, bits=bits)
    assert x.dtype == np.uint8
    assert np.array_equal(x, examples[0] >> (8 - bits))
    assert x.max() == 2**bits - 1


def test_static_shapes(examples):
    assert data.load("mnist").element_spec.shape == (28, 28, 1)
    assert data.load("mnist", batch_size=8).element_spec.shape.as_list() == [None, 28, 28, 1]
    fixed = data.load("mnist", batch_size=8, drop_remainder=True, labels=True, bits=5).element_spec
    assert [part.shape.as_list() for part in fixed] == [[8, 28, 28, 1], [8]]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"batch_size": 0}, "`batch_size` must be an integer, at least 1, or None, got 0"),
        ({"batch_size": 2.0}, "`batch_size` must be an integer"),
        ({"bits": 9}, "`bits` must be an integer, 1 to 8, or None, got 9"),
        ({"bits": True}, "`bits` must be an integer"),
        ({"epochs": 0}, "`epochs` must be an integer, at least 1, or None, got 0"),
        ({"start_step": -1}, "`start_step` must be an integer, at least 0, got -1"),
        ({"start_step": None}, "`start_step` must be an integer, at least 0, got None"),
        ({"seed": 2**63}, "`seed` must be an integer"),
        ({"drop_remainder": True}, "`drop_remainder` needs a `batch_size` of 1 to 50, got None"),
        ({"drop_remainder": True, "batch_size": 51}, "`drop_remainder` needs a `batch_size` of 1 to 50, got 51"),
        ({"flip": True}, "`flip` must be False for 'mnist'"),
        ({"shift": 28}, "`shift` must be an integer, 0 to 27, got 28"),
        ({"name": "bsds300", "shift": 1}, "`shift` must be 0 for 'bsds300', got 1: only images and audio can be moved"),
        ({"name": "celeb_a", "labels": True}, "`labels` must be False for 'celeb_a', got True: .*no class labels"),
    ],
)
def test_wrong_arguments_are_refused(examples, wrong, message):
    with pytest.raises(ValueError, match=message):
        data.load(**({"name": "mnist"} | wrong))


def test_numpy_integers_are_integers(examples):
    stream = data.load("mnist", batch_size=np.int64(10), seed=np.int32(4), start_step=np.int64(2), shuffle=True)
    assert same(
        list(stream.as_numpy_iterator()),
        list(data.load("mnist", batch_size=10, seed=4, start_step=2, shuffle=True).as_numpy_iterator()),
    )
