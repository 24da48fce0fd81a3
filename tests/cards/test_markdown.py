"""MODEL_CARDS.md, the pages of docs/models and the README's table are what the presets say."""

import re
from pathlib import Path

import pytest

from flowzoo.cards import card_figures
from flowzoo.cards.architecture import architecture
from flowzoo.cards.card import summary
from flowzoo.cards.markdown import BEGIN, END, PAGES, markdown_cards, markdown_gallery, preset_table, readme_with_table
from flowzoo.cards.page import markdown_page
from flowzoo.data import specs
from flowzoo.families import FAMILIES
from flowzoo.families.options import fields
from flowzoo.hub.presets import list_presets, read_preset
from flowzoo.record.preset import Preset
from flowzoo.training.model import build
from flowzoo.training.model import options as options_of
from tests.record import records

ROOT = Path(__file__).parents[2]
AGAIN = "run `python tools/make_cards.py`"


def shipped() -> list[Preset]:
    return [read_preset(name) for name in list_presets()]


def test_model_cards_are_up_to_date():
    assert (ROOT / "MODEL_CARDS.md").read_text(encoding="utf-8") == markdown_cards(shipped()), AGAIN


def test_readme_table_is_up_to_date():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert readme == readme_with_table(readme, shipped()), AGAIN


def test_pages_are_up_to_date():
    folder = ROOT / PAGES
    pages = {f"{preset.name}.md": markdown_page(preset) for preset in shipped()} | {
        "index.md": markdown_gallery(shipped())
    }
    assert {path.name: path.read_text(encoding="utf-8") for path in folder.glob("*.md")} == pages, AGAIN
    drawn = {}
    for preset in shipped():
        drawn |= {name: source for name, (source, _) in card_figures.sources(preset, ROOT / "checkpoints").items()}
    there = {path.relative_to(folder).as_posix(): card_figures.digest(path) for path in folder.glob("*/*.png")}
    assert there == drawn, AGAIN


def test_figures_are_drawn_once(tmp_path):
    (tmp_path / "tiny").mkdir()
    (tmp_path / "tiny" / "history.csv").write_text(
        "step,seconds,loss,learning_rate,validation_nats\n1,2,3,4,5\n2,4,3,4,4\n"
    )
    scores = {"value": 3.0, "standard_error": 0.1, "examples": 4, "counts": [1, 2, 1]}
    other = {"dataset": "mnist", "low": 1.0, "high": 4.0, "own": scores, "other": scores | {"value": 2.0}}
    preset = Preset.from_dict(records.published() | {"other_data_set": other})
    for name, (source, draw) in card_figures.sources(preset, tmp_path).items():
        path = tmp_path / name
        card_figures.write(path, source, draw)
        assert card_figures.digest(path) == source and path.stat().st_size < 60_000
        card_figures.write(path, source, None)  # the same again: nothing is drawn
        assert f"]({name})" in markdown_page(preset)
    text = markdown_page(preset)
    assert (
        "It finds `mnist`, which it never saw, likelier than its own data. Measured: 2.000 ± 0.100 bits/dim on 4"
        in text
    )


def test_a_card_tells_the_protocol():
    text = markdown_page(Preset.from_dict(records.published()))
    for needed in (
        "3.0000 ± 0.0100",
        "lower_bound",
        "1 draw, seed 0",
        "10,000 examples",
        "2 CPU cores",
        "a paper",
        "1,234",
    ):
        assert needed in text
    for needed in ("| licence of the weights | Apache-2.0 |", "| licence of the data | MIT |", "arXiv:1807.03039"):
        assert needed in text
    assert "--preset=tiny" in text and "Glow: 1 scales of 2 steps" in text


def test_a_card_has_the_certificate_and_what_fails():
    record = records.published()
    assert "| sampled | 1.0e-06 | 1.0e-04 | 0.0% | 0.0% | the first 64 |" in markdown_page(Preset.from_dict(record))
    assert "Known failures" not in markdown_page(Preset.from_dict(record))
    record["certificate"]["out_of_distribution"] |= {"reconstruction_error": 0.5, "non_finite_rate": 0.25}
    record["known_failures"] = ["Zeros are drawn as sixes."]
    text = markdown_page(Preset.from_dict(record))
    assert "- Out of distribution, its reconstruction_error is 5.0e-01, above 0.001, the bound" in text
    assert "its non_finite_rate is 2.5e-01" in text and "- Zeros are drawn as sixes.\n" in text


def test_every_preset_is_described_in_words():
    for preset in shipped():
        text = architecture(preset)
        assert str(options_of(preset).depth) in text and "several" not in text and "The family" not in text


@pytest.mark.parametrize(
    ("family", "options", "said"),
    [
        ("glow", {"event_shape": [8, 8, 1], "bits": 8}, "The class, one of 7, conditions the networks and the prior."),
        ("realnvp", {"event_shape": [4, 4, 1], "bits": 8}, "The class, one of 7, conditions the networks."),
        ("realnvp", {"event_shape": [3], "base": "class-conditional"}, "conditions the networks and the prior."),
        ("planar", {"event_shape": [3]}, "The class, one of 7, conditions the networks."),
    ],
)
def test_a_description_says_what_the_class_conditions(family, options, said):
    record = records.untrained() | {"family": family, "config": options | {"depth": 1, "hidden": 4, "classes": 7}}
    record["dataset"] = {"name": "tiny", "bits": options.get("bits", 0), "labels": True}
    preset = Preset.from_dict(record)
    text, flow = architecture(preset), build(preset)
    assert text.endswith(said)
    by_class = type(flow.base).__name__ == "ClassConditional" or type(flow).__name__ == "Glow"
    assert ("the prior" in said) == by_class


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_a_description_says_what_the_config_leaves_to_the_family(family):
    kind = FAMILIES[family].Options
    said, most = {name: field.default for name, field in fields(kind).items()}, 8 if kind.dequantizes else 1
    for bits, shape in ((most, [4, 4, 1]), (0, [3]))[0 if "bits" in said else 1 :]:
        config = {"event_shape": shape} | ({"bits": bits} if "bits" in said else {})
        short, long = (records.untrained() | {"family": family, "config": one} for one in (config, said | config))
        text = architecture(Preset.from_dict(short))
        assert text == architecture(Preset.from_dict(long))
        assert ("logit with alpha" in text) == bool(bits and said.get("alpha"))


@pytest.mark.parametrize(
    ("family", "options", "said"),
    [
        ("ffjord", {"event_shape": [4, 4, 1], "bits": 8, "multiscale": True}, "FFJORD: 2 scales of 1 neural ODE,"),
        ("nsf-coupling", {"event_shape": [3], "bins": 0, "affine": True}, "5 couplings with affine maps and networks"),
        ("nsf-coupling", {"event_shape": [3], "affine": True}, "A shift and a scale come before each spline."),
        ("maf", {"event_shape": [3], "whiten": True}, "Features are whitened first."),
        ("realnvp", {"event_shape": [3], "base": "student"}, "The base is `student`."),
    ],
)
def test_a_description_says_what_an_option_changes(family, options, said):
    config = {"depth": 5, "hidden": 8} | options | ({"depth": 1, "levels": 2} if "multiscale" in options else {})
    record = records.untrained() | {"family": family, "config": config}
    assert said in architecture(Preset.from_dict(record))


def test_an_untrained_preset_claims_nothing():
    preset = Preset.from_dict(records.untrained())
    assert "not measured yet" in summary(preset)
    assert "not trained yet" in preset_table([preset])
    assert "samples.png" not in markdown_page(preset)


def test_a_recipe_only_is_marked():
    preset = Preset.from_dict(records.untrained() | {"recipe_only": True, "parameters": 1234})
    text = markdown_page(preset)
    assert "**Recipe only: there are no weights.**" in text and "| parameters | 1,234 |" in text
    assert "flowzoo verify" not in text and "samples.png" not in text and "## Train it\n" in text
    assert "recipe only | 1,234" in preset_table([preset])
    assert "bits/dim   recipe only: there are no weights" in summary(preset)


def test_restrictions_of_the_data_are_plain_to_see():
    record = records.published()
    record["licence"]["data"] = "CelebA agreement: non-commercial research purposes only"
    preset = Preset.from_dict(record)
    assert "**Restricted: non-commercial research only, by the licence of the data.**" in markdown_page(preset)
    assert "fashion_mnist; non-commercial research only" in preset_table([preset])
    assert "restricted non-commercial research only" in summary(preset)
    assert "estricted" not in markdown_page(Preset.from_dict(records.published()))


def test_a_part_of_a_data_set_is_named():
    record = records.published()
    record["dataset"]["name"] = "celeb_a_subset"
    preset = Preset.from_dict(record)
    start = "celeb_a_subset, 8 bits (14,283 of the 162,770 training images, 780"
    assert f"| data | {start}" in markdown_page(preset) and f"  data       {start}" in summary(preset)
    assert "fashion_mnist, 8 bits |" in markdown_page(Preset.from_dict(records.published()))


def test_memory_and_start_of_a_training():
    record = records.published()
    record["provenance"] |= {"peak_memory_bytes": 3 * 2**29, "peak_gpu_memory_bytes": 2**30, "init_from": "glow-mnist"}
    text = "2 steps in 0.02 h on 2 CPU cores"
    more = ", at most 1.50 GiB of memory, at most 1.00 GiB of GPU memory, from the weights of glow-mnist"
    assert f"{text}{more}; tensorflow" in markdown_page(Preset.from_dict(record))
    assert f"trained    {text}\n" in summary(Preset.from_dict(records.published()))


def test_a_page_has_each_stage_and_one_command_for_all():
    record = records.published()
    record["provenance"]["init_from"] = f"best.weights.h5 of tiny after 9 steps, sha256 {'ab' * 32}"
    [recipe] = record["training"]
    record["training"] = [{"steps": 9, "start": "glow-mnist@1", "config": {"depth": 1}}, recipe]
    page = markdown_page(Preset.from_dict(record))
    command = "python tools/train.py --preset=tiny --workdir=runs/tiny\nflowzoo verify tiny\n```\n"
    assert "```bash\npython tools/fetch_data.py --dataset=fashion_mnist\n" + command in page
    assert "The last of 2 stages: 2 steps in 0.02 h" in page and "best.weights.h5" not in page
    assert "from the weights of the stage before, which were not kept; " in page and "abab" not in page
    stages = "1. `steps=9`, from the weights of `glow-mnist@1`; the flow with `depth=1`\n2. `seed=0, batch_size=4, "
    begin = "Recipe, in 2 stages, each from the best weights of the one before"
    why = "the command runs them all, since the weights before the last stage were not kept"
    assert f"{begin}; {why}:\n\n{stages}" in page
    record["provenance"] |= {"init_from": f"tiny@1, sha256 {'ab' * 32}", "processor_seconds": 1234.5}
    page = markdown_page(Preset.from_dict(record))
    assert "from the weights of the stage before, tiny@1 (sha256 abababababababab…); 1,234 processor seconds" in page
    assert "seconds in all stages; " in page and f"{begin}:\n\n{stages}" in page


def test_what_a_training_started_from_can_be_had():
    for preset in map(read_preset, list_presets(weights=True)):
        first, *later = preset.training
        assert bool(later) or bool(first.get("start")) == ("init_from" in preset.provenance), preset.name
        if start := first.get("start"):
            assert "@" in start and read_preset(start).trained, preset.name
            assert later or preset.provenance["init_from"].startswith(f"{start}, sha256 ")
        assert not re.search(r"init_from|git show|start\.weights", markdown_page(preset)), preset.name


def test_intended_use_is_of_the_data():
    uses = {name: specs.spec(name).use for name in specs.names()}
    assert all(uses.values()) and "people" in uses["celeb_a"] and "people" not in uses["mnist"]
    assert uses["fashion_mnist"] in markdown_page(Preset.from_dict(records.published()))


def test_readme_needs_its_markers():
    presets = [Preset.from_dict(records.published())]
    text = readme_with_table(f"head\n{BEGIN}\nold\n{END}\ntail\n", presets)
    assert text.startswith("head\n")
    assert text.endswith("\ntail\n")
    assert "old" not in text
    assert readme_with_table(text, presets) == text
    with pytest.raises(ValueError, match="the README must have"):
        readme_with_table("no markers", presets)
