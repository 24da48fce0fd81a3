"""Space and Condition: what a value is, and what a model is conditioned on."""

import pytest

from flowzoo.core.space import Condition, Space, of_size


def test_a_space_says_what_it_is():
    image, label = Space.integers((8, 8, 3), 32), Space.integers((), 10)
    assert (image.dtype, image.modality, image.depth, label.dtype, label.modality) == (
        "uint8",
        "image",
        5,
        "int32",
        "label",
    )
    assert Space.integers((4,), 257).dtype == "int32"
    assert (label.features, Space((None, 80)).features, Space((3,)).modality) == (10, 80, "vector")
    assert label.described(5) == "(5,) integer labels 0 ... 9"
    assert Space((None, 80)).described() == "(batch, any, 80) numbers"
    assert Space((None, 80)).fits((7, 80)) and not Space((None, 80)).fits((80,))
    assert Space((3,), anywhere=True).fits((4, 4, 3)) and not Space((3,)).fits((4, 4, 3))


@pytest.mark.parametrize("shape", [3, (0,), (-1, 2), (2.0,), "ab"])
def test_a_shape_is_of_whole_numbers(shape):
    with pytest.raises(ValueError, match="`shape` of a Space must be whole numbers"):
        Space(shape)


def test_a_condition_is_one_value_or_several_by_name():
    both = Condition({"label": Space.integers((), 3), "mel": Space((None, 4))})
    assert both.features == 7 and both.labels == 0 and both.parted({"mel": 1, "label": 2}) == {"label": 2, "mel": 1}
    assert both.map(lambda value, space: (value, space.features), {"mel": 1, "label": 2}) == {
        "label": (2, 3),
        "mel": (1, 4),
    }
    one = Condition.of(classes=3)
    assert both.rows({"mel": [1, 2], "label": [3, 4]}, slice(1)) == {"label": [3], "mel": [1]}
    assert one.labels == 3 and one.whole(one.parted(5)) == 5 and not Condition() and Condition().map(min, None) is None
    assert Condition.of(3, 2) == Condition({"label": Space.integers((), 3), "features": Space((2,))}) != one
    for value, got in ((None, "None"), (3, "int"), ({"mel": 1}, r"a dict of \['mel'\]")):
        with pytest.raises(ValueError, match=rf"`condition` must be a dict of \['label', 'mel'\], got {got}"):
            both.parted(value)
    with pytest.raises(ValueError, match="must be one value, got a dict"):
        one.parted({"label": 3})
    assert repr(Condition()) == "Condition(none)"
    assert repr(Condition.of(10)) == "Condition((batch,) integer labels 0 ... 9)"


def test_integers_are_classes_unless_they_have_channels():
    tokens, regions, pixels = Space.integers((7,), 5), Space.integers((4, 4), 5), Space.integers((4, 4, 3), 256)
    assert [space.one_hot for space in (tokens, regions, pixels, Space((2,)))] == [True, True, False, False]
    assert [space.features for space in (tokens, regions, pixels)] == [5, 5, 3]
    assert [space.places for space in (tokens, regions, pixels, Space((2,)))] == [(7,), (4, 4), (4, 4), ()]
    assert Condition({"regions": regions, "pixels": pixels, "label": Space.integers((), 3)}).features == 5 + 3 + 3
    with pytest.raises(ValueError, match="Conditions with places must share the same places"):
        Condition({"tokens": tokens, "pixels": pixels})


def test_one_axis_may_take_what_is_left():
    assert (of_size((2, 3), 6), of_size((2, 3), 12), of_size((None, 5), 20)) == ((2, 3), None, (4, 5))
    assert of_size((None, 5), 21) is None and of_size((None, None), 4) is None and of_size((), 1) == ()


def test_names_of_inputs_and_other_places_are_refused():
    for name in ("x", "seed", "Mel", "", 3):
        with pytest.raises(ValueError, match="must have a name"):
            Condition({name: Space((2,))})
    with pytest.raises(ValueError, match="Conditions with places must share the same places"):
        Condition({"a": Space((4, 2)), "b": Space((5, 2))})
    with pytest.raises(TypeError, match="must be a Space or a dict of them, got int"):
        Condition(3)


def test_any_condition_will_do_where_none_is_given():
    assert Condition().in_turn(3) is None and Condition.of(2).in_turn(3).tolist() == [0, 1, 0]
    both = Condition({"label": Space.integers((), 2), "mel": Space((None, 4))}).in_turn(3)
    assert both["label"].tolist() == [0, 1, 0] and both["mel"].shape == (3, 1, 4) and not both["mel"].any()


def test_labels_in_turn_are_for_classes_alone():
    assert Condition.of(3).labels_in_turn(5).tolist() == [0, 1, 2, 0, 1]
    assert all(Condition.of(*other).labels_in_turn(5) is None for other in ((), (0, 2), (3, 2)))


def test_integers_of_a_condition_begin_at_0():
    with pytest.raises(ValueError, match="must begin at 0, got -32768 as the lowest of condition"):
        Condition(Space.audio(8, 8000))
