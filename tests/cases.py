"""The table of constructors: one row per transform and flow gets it the whole battery of tests.

Weights are always seeded random numbers: a zero-initialised head would make every check vacuous.
"""

import dataclasses
import functools
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from flowzoo import bases, flows, surjections
from flowzoo import bijectors as b
from flowzoo.conditioners import MADE, MLP, GlowConvNet, ResidualConvNet, RowWaveNet, Velocity
from flowzoo.core import random
from flowzoo.core.context import Context
from flowzoo.core.transform import Transform
from flowzoo.families.latent_variable import LatentVariableModel
from flowzoo.families.neural_ode import ContinuousFlow
from flowzoo.families.options import fields
from flowzoo.ode import Solver
from flowzoo.testing import Case, randomized

VECTOR, IMAGE = (5,), (4, 4, 2)


@dataclasses.dataclass(frozen=True)
class TransformCase:
    """A row: how to build it, its data, and the features of its condition (0 for none)."""

    build: Callable[[str, str], Transform]  # of (dtype, dtype of the conditioner)
    shape: tuple[int, ...] = VECTOR
    draw: str = "normal"  # or uniform, positive, integers, audio
    condition_features: int = 0
    takes_bfloat16: bool = False  # it has a conditioner that may compute in bfloat16
    bijective: bool = True


def _coupling(kind, shape, split, network, features=0, *, scalar=None, seed=1, **options):
    """A row of a coupling; `network` is its conditioner's class, and `scalar` the map of a plain `Coupling`."""

    def build(dtype, conditioner_dtype):
        outputs = (scalar or kind).outputs_per_entry * split.free_shape[-1]
        size = split.kept_shape[0] if network is MLP else split.kept_shape
        hidden = [6] if network is MLP else 6
        more = dict(options, seed=seed, dtype=conditioner_dtype)
        conditioner = network(size, outputs, hidden, features, **more)
        return kind(shape, split, conditioner, *([scalar] if scalar else []), dtype=dtype)

    return TransformCase(build, shape, condition_features=features, takes_bfloat16=True)


def _autoregressive(scalar, features=0, invert=False, shape=VECTOR, **options):
    """A row of an autoregressive transform; `options` are those of its MADE."""

    def build(dtype, _):
        more = {"hidden": [9, 7], "seed": 1, "dtype": dtype, **options}
        made = MADE(shape[0], scalar.outputs_per_entry, condition_features=features, **more)
        layer = b.Autoregressive(made, scalar, dtype=dtype)
        return b.Invert(layer) if invert else layer

    return TransformCase(build, shape, condition_features=features)


def _rows(features=0):
    """A row of a flow by rows."""

    def build(dtype, _):
        network = RowWaveNet((3, 5, 1), 2, 4, 2, features, seed=1, dtype=dtype)
        return b.AutoregressiveRows(network, b.Affine(), dtype=dtype)

    return TransformCase(build, (3, 5, 1), condition_features=features)


def _plain(kind, *args, shape=VECTOR, draw="normal", bijective=True, **options):
    """A row of a transform without a conditioner."""
    return TransformCase(lambda dtype, _: kind(shape, *args, dtype=dtype, **options), shape, draw, bijective=bijective)


def _parametric(kind, features=0, **form):
    """A row of a bijector with own parameters, which a network changes by the condition if there is one."""

    def build(dtype, conditioner_dtype):
        network = None
        if features:
            count = kind.parameter_count(VECTOR[0], **form)
            network = MLP(0, count, [6], features, seed=1, dtype=conditioner_dtype)
        return kind(VECTOR, network, seed=2, dtype=dtype, **form)

    return TransformCase(build, condition_features=features, takes_bfloat16=bool(features))


def _from_tfp(dtype, _):
    import tensorflow_probability as tfp

    from flowzoo.interop import FromTFP

    return FromTFP(tfp.bijectors.Softplus(), VECTOR, dtype=dtype)


def _chain(dtype, conditioner_dtype):
    coupling = TRANSFORMS["affine-condition"].build(dtype, conditioner_dtype)
    return b.Chain([b.ActNorm(VECTOR, dtype=dtype), coupling, b.Reverse(VECTOR, dtype=dtype)])


def _multiscale(dtype, conditioner_dtype):
    shape = (4, 4, 4)  # its kept half is the shape of the second level
    first = b.Chain([b.ActNorm(shape, dtype=dtype), b.InvertibleLinear(shape, seed=2, dtype=dtype)])
    return b.Multiscale([first, TRANSFORMS["affine-channels"].build(dtype, conditioner_dtype)])


def _variational(dtype, conditioner_dtype):
    squeezed = (2, 2, 8)
    split = b.ChannelSplit(squeezed)
    network = GlowConvNet(split.kept_shape, 8, 6, 8, seed=4, dtype=conditioner_dtype)
    noise = b.AffineCoupling(squeezed, split, network, dtype=dtype)
    return surjections.VariationalDequantization(IMAGE, noise, dtype=dtype)


def _stochastic(dtype, conditioner_dtype):
    posterior = MLP(8, 4, [6], seed=1, dtype=conditioner_dtype), MLP(5, 10, [6], seed=2, dtype=conditioner_dtype)
    sides = zip(((2,), VECTOR), (8, 5), posterior, strict=True)
    return surjections.Stochastic(*(bases.ConditionalNormal(*side, dtype=dtype) for side in sides))


def _absolute_value(features=0, **options):
    """A row of an absolute value, whose x lies in the box."""

    def build(dtype, conditioner_dtype):
        network = MLP(VECTOR[0], 1, [6], features, seed=1, dtype=conditioner_dtype)
        return surjections.AbsoluteValue(VECTOR, network, 2, dtype=dtype, **options)

    return TransformCase(build, VECTOR, "uniform", condition_features=features, bijective=False)


def _sort(dtype, conditioner_dtype):
    return surjections.Sort(VECTOR, MLP(5, 5, [6], 3, seed=1, dtype=conditioner_dtype), dtype=dtype)


def _funnel(dtype, conditioner_dtype):
    """A coupling funnel: both couplings are of any kind."""
    parts = [(b.FeatureMask([0, 1, 1, 0, 1]), _spline), (_mask, b.Affine())]
    couplings = [
        _coupling(b.Coupling, VECTOR, split, MLP, features=3, scalar=scalar, seed=i).build(dtype, conditioner_dtype)
        for i, (split, scalar) in enumerate(parts)
    ]
    return b.Chain([*couplings, surjections.Slice(_mask, dtype=dtype)])


def _linear_funnel(dtype, conditioner_dtype):
    """An MLP funnel: z = W1 (x1 + V x2), as its layers are linear."""
    shift = MLP(3, 2, [], seed=1, dtype=conditioner_dtype)
    rest = MLP(2, 6, [6], seed=2, dtype=conditioner_dtype)
    return b.Chain(
        [
            b.AdditiveCoupling(VECTOR, b.FeatureMask([0, 1, 1, 0, 1]), shift, dtype=dtype),
            b.AffineCoupling(VECTOR, _mask, rest, dtype=dtype),
            surjections.Slice(_mask, dtype=dtype),
            b.InvertibleLinear((2,), seed=3, dtype=dtype),
        ]
    )


def _convolution_funnel(dtype, conditioner_dtype):
    """A convolution funnel: of each 2 x 2 block half of the channels are kept."""
    shape, parts = (2, 2, 8), [b.Squeeze(IMAGE, dtype=dtype)]
    for swap in (True, False):
        split = b.ChannelSplit(shape, swap=swap)
        network = GlowConvNet(split.kept_shape, 8, 6, seed=swap + 1, dtype=conditioner_dtype)
        parts.append(b.AffineCoupling(shape, split, network, dtype=dtype))
    return b.Chain([*parts, surjections.Slice(split, dtype=dtype)])


def _continuous(shape, features=0):
    """A row of a continuous transform, solved almost exactly, since the way is short; tests/ode has other solvers."""

    def build(dtype, _):
        velocity = Velocity(shape, [4], features, seed=1, dtype=dtype)
        return b.Continuous(velocity, Solver("rk4", steps=1), time=0.0125, dtype=dtype)

    return TransformCase(build, shape, condition_features=features)


_mask, _spline = b.FeatureMask([1, 0, 0, 1, 0]), b.RationalQuadratic(5, 2.0)
_BOUNDS = [[0.0, None], [-1.0, 50.0], None, [None, 50.0], [0.0, 50.0]]
TRANSFORMS = {
    "affine-mask": _coupling(b.AffineCoupling, VECTOR, _mask, MLP),
    "affine-condition": _coupling(b.AffineCoupling, VECTOR, _mask, MLP, features=3),
    "affine-channels": _coupling(b.AffineCoupling, IMAGE, b.ChannelSplit(IMAGE), GlowConvNet),
    "affine-channels-condition": _coupling(
        b.AffineCoupling, IMAGE, b.ChannelSplit(IMAGE, swap=True), GlowConvNet, features=2, position=True
    ),
    "affine-checkerboard": _coupling(b.AffineCoupling, IMAGE, b.CheckerboardSplit(IMAGE), ResidualConvNet, blocks=1),
    "additive-checkerboard": _coupling(
        b.AdditiveCoupling, IMAGE, b.CheckerboardSplit(IMAGE, swap=True), ResidualConvNet, blocks=1
    ),
    "additive-channels": _coupling(b.AdditiveCoupling, IMAGE, b.ChannelSplit(IMAGE), GlowConvNet),
    "affine-all-free": _coupling(b.AffineCoupling, VECTOR, b.AllFree(VECTOR), MLP, features=3),
    "additive-mask": _coupling(b.AdditiveCoupling, VECTOR, _mask, MLP),
    "spline-mask": _coupling(b.Coupling, VECTOR, _mask, MLP, scalar=_spline, seed=2),
    "spline-channels": _coupling(b.Coupling, IMAGE, b.ChannelSplit(IMAGE), GlowConvNet, scalar=_spline, seed=2),
    "autoregressive-affine": _autoregressive(b.Affine()),
    "autoregressive-condition": _autoregressive(b.Affine(), features=3, order=[3, 0, 4, 1, 2]),
    "autoregressive-residual": _autoregressive(b.Affine(), residual=True, hidden=[7, 7, 7, 7, 7], activation="tanh"),
    "autoregressive-narrow": _autoregressive(b.Affine(), hidden=[2]),
    # its inverse is searched for, once per feature: short, since a graph of five takes half a minute to compile
    "autoregressive-mixture": _autoregressive(b.GaussianMixtureMap(3), shape=(3,)),
    "autoregressive-affine-spline": _autoregressive(b.ScalarChain(b.Affine(), _spline)),
    "autoregressive-spline": _autoregressive(b.RationalQuadratic(4, 2.0), features=3),
    "autoregressive-inverse": _autoregressive(b.Affine(), features=3, invert=True),
    "autoregressive-rows": _rows(),
    "autoregressive-rows-condition": _rows(features=3),
    "fold": _plain(b.Fold, 2, shape=(6,)),
    "reverse-rows": _plain(b.ReverseRows, shape=(3, 2, 1)),
    "actnorm-vector": _plain(b.ActNorm),
    "actnorm-image": _plain(b.ActNorm, shape=IMAGE),
    "elementwise-affine": _plain(b.ElementwiseAffine, shape=IMAGE),
    "linear-vector": _plain(b.InvertibleLinear, seed=3),
    "whitening": _plain(b.Whitening),
    "linear-image": _plain(b.InvertibleLinear, shape=(2, 2, 4), seed=3),
    "householder": _plain(b.Householder, 3, seed=3),
    "cayley-vector": _plain(b.CayleyOrthogonal, seed=3),
    "cayley-image": _plain(b.CayleyOrthogonal, shape=(2, 2, 4), seed=3),
    "planar": _parametric(b.Planar),
    "planar-condition": _parametric(b.Planar, features=3),
    "radial": _parametric(b.Radial),
    "radial-condition": _parametric(b.Radial, features=3),
    "sylvester": _parametric(b.Sylvester, directions=5, reflections=2),
    "sylvester-condition": _parametric(b.Sylvester, features=3, directions=2, reflections=2),
    "permutation": _plain(b.Permutation, [2, 0, 4, 1, 3]),
    "reverse": _plain(b.Reverse),
    "squeeze": _plain(b.Squeeze, shape=IMAGE),
    "flatten": _plain(b.Flatten, shape=IMAGE),
    "multiscale": TransformCase(_multiscale, (4, 4, 4), takes_bfloat16=True),
    "scale": _plain(b.Scale, 3.0, -0.5),
    "standardize": _plain(b.Standardize),
    "bounds": _plain(b.Bounds, _BOUNDS, draw="positive"),
    "logit": _plain(b.Logit, draw="uniform"),
    "chain": TransformCase(_chain, condition_features=3, takes_bfloat16=True),
    "invert-planar": TransformCase(lambda dtype, _: b.Invert(b.Planar(VECTOR, seed=2, dtype=dtype))),
    "invert": TransformCase(lambda *types: b.Invert(_chain(*types)), condition_features=3, takes_bfloat16=True),
    "identity": _plain(b.Identity),
    "dequantize": _plain(surjections.UniformDequantization, shape=IMAGE, draw="integers", bijective=False),
    "dequantize-variational": TransformCase(_variational, IMAGE, "integers", bijective=False),
    "dequantize-audio": _plain(surjections.AudioDequantization, 8000, draw="audio", bijective=False),
    "absolute-value": _absolute_value(),
    "absolute-value-point": _absolute_value(features=3, point=True),
    "sort": TransformCase(_sort, VECTOR, "uniform", condition_features=3, bijective=False),
    "max-pool": _plain(surjections.MaxPool, shape=IMAGE, bijective=False),
    "argmax": _plain(surjections.Argmax, 256, shape=(3,), draw="integers", bijective=False),
    "slice": TransformCase(lambda dtype, _: surjections.Slice(_mask, dtype=dtype), bijective=False),
    "funnel": TransformCase(_funnel, condition_features=3, bijective=False),
    "funnel-linear": TransformCase(_linear_funnel, bijective=False),
    "funnel-convolution": TransformCase(_convolution_funnel, IMAGE, bijective=False),
    "augment": _plain(surjections.Augment, 2, bijective=False),
    "stochastic": TransformCase(_stochastic, condition_features=3, bijective=False),
    "continuous": _continuous((3,), features=2),
    "continuous-image": _continuous((2, 2, 1)),
    "from-tfp": TransformCase(_from_tfp, draw="positive"),
}


@dataclasses.dataclass(frozen=True)
class BaseCase:
    """A row: how to build it from a dtype, and the features of its condition (0 for none)."""

    build: Callable[[str], bases.Base]
    condition_features: int = 0


def _from_distribution(dtype):
    from tensorflow_probability import distributions as tfd

    zero = np.zeros((), dtype)
    return bases.FromDistribution(tfd.Sample(tfd.Laplace(zero + 0.5, zero + 2.0), VECTOR))


def _conditional(dtype):
    return bases.ConditionalNormal(VECTOR, 3, MLP(3, 10, [6], seed=1, dtype=dtype), dtype=dtype)


BASES = {
    "standard-normal": BaseCase(lambda dtype: bases.StandardNormal(VECTOR, dtype=dtype)),
    "diagonal-normal": BaseCase(lambda dtype: bases.DiagonalNormal(VECTOR, dtype=dtype)),
    "gaussian-mixture": BaseCase(lambda dtype: bases.GaussianMixture(VECTOR, 3, seed=2, dtype=dtype)),
    "student-t": BaseCase(lambda dtype: bases.StudentT(VECTOR, 3.0, dtype=dtype)),
    "student-t-learned": BaseCase(lambda dtype: bases.StudentT(VECTOR, 6.0, learned=True, dtype=dtype)),
    "logistic": BaseCase(lambda dtype: bases.Logistic(VECTOR, dtype=dtype)),
    "uniform": BaseCase(lambda dtype: bases.Uniform(VECTOR, -1.0, np.arange(1.0, 6.0), dtype=dtype)),
    "class-conditional": BaseCase(lambda dtype: bases.ClassConditional(VECTOR, 3, dtype=dtype), 3),
    "conditional-normal": BaseCase(_conditional, 3),
    "from-distribution": BaseCase(_from_distribution),
}

_small = {"depth": 2, "hidden": 5, "blocks": 1, "seed": 5}
_tiny = {"levels": 2, "depth": 1, "hidden": 4, "seed": 5}
_close = {"method": "rk4", "steps": 8, "time": 0.1, "seed": 5}  # a short way, so its steps are almost exact
FLOWS = {  # name: (family, flat configuration)
    "planar": ("planar", {"depth": 3, "seed": 5}),
    "planar-classes": ("planar", {"depth": 2, "hidden": 8, "classes": 3, "seed": 5}),
    "radial": ("radial", {"depth": 3, "seed": 5}),
    "radial-condition": ("radial", {"depth": 2, "hidden": 8, "condition_features": 3, "seed": 5}),
    "realnvp": ("realnvp", {"event_shape": (2,), "depth": 2, "hidden": 8, "seed": 5}),
    "realnvp-condition": (
        "realnvp",
        {"event_shape": (2,), "depth": 2, "hidden": 8, "condition_features": 3, "seed": 5},
    ),
    "realnvp-image": ("realnvp", {"event_shape": (4, 4, 1), "bits": 8, "blocks": 1, "growth": 0.5, **_tiny}),
    "glow": ("glow", {"event_shape": (4, 4, 1), **_tiny}),
    "glow-classes": ("glow", {"event_shape": (4, 4, 1), "classes": 3, "position": True, **_tiny}),
    "glow-condition": ("glow", {"event_shape": (4, 4, 1), "condition_features": 3, **_tiny}),
    "glow-variational": ("glow", {"event_shape": (4, 4, 1), "noise_depth": 2, "noise_hidden": 4, **_tiny}),
    "vae": ("vae", {"event_shape": (6, 6, 1), "bits": 1, "latent": 3, "hidden": 8, "blocks": 1, "seed": 5}),
    "vae-vector": ("vae", {"event_shape": (3,), "latent": 2, "hidden": 8, "blocks": 1, "seed": 5}),
    "vae-flow": (
        "vae",
        {
            "event_shape": (3,),
            "latent": 2,
            "hidden": 8,
            "blocks": 1,
            "posterior": {"family": "iaf", "depth": 1, "hidden": 8},
            "seed": 5,
        },
    ),
    "sylvester": ("sylvester", {"event_shape": (3,), "depth": 2, "reflections": 0, "directions": 3, "seed": 5}),
    "funnel": ("funnel", {"event_shape": (3,), "keep": 2, "depth": 1, "hidden": 8, "bins": 4, "seed": 5}),
    "svae": ("svae", {"event_shape": (3,), "latent": 4, "hidden": 8, "seed": 5}),
    "survae": ("survae", {"event_shape": (2,), "sort": True, "depth": 1, "hidden": 8, "bins": 4, "seed": 5}),
    "glow-vector": ("glow", {"event_shape": (2,), "bits": 0, "depth": 1, "hidden": 8, "seed": 5}),
    "nice-condition": (
        "nice",
        {"event_shape": (2,), "hidden": 8, "base": "logistic", "condition_features": 3, "seed": 5},
    ),
    "nice-image": ("nice", {"event_shape": (4, 4, 1), "bits": 8, "depth": 2, "hidden": 8, "seed": 5}),
    "maf": ("maf", {"event_shape": (2,), "depth": 2, "hidden": 8, "seed": 5}),
    "maf-classes": (
        "maf",
        {
            "event_shape": (3,),
            "random_order": True,
            "residual": True,
            "classes": 3,
            "base": "class-conditional",
            **_small,
        },
    ),
    "maf-mog-classes": (
        "maf-mog",
        {"event_shape": (2,), "classes": 3, "components": 3, **_small, "depth": 1, "hidden": 8},
    ),
    "maf-image": ("maf", {"event_shape": (3, 3, 1), "bits": 8, "depth": 1, "hidden": 9, "alpha": 0.05, "seed": 5}),
    "iaf-condition": ("iaf", {"event_shape": (2,), "depth": 2, "hidden": 8, "condition_features": 3, "seed": 5}),
    "nsf-ar-classes": (
        "nsf-ar",
        {"event_shape": (2,), "classes": 3, "bins": 4, "affine": True, **_small, "depth": 1, "hidden": 8},
    ),
    "nsf-coupling-condition": (
        "nsf-coupling",
        {"event_shape": (2,), "depth": 2, "hidden": 5, "bins": 4, "whiten": True, "condition_features": 3, "seed": 5},
    ),
    "nsf-coupling-image": ("nsf-coupling", {"event_shape": (4, 4, 1), "bits": 8, "bins": 4, **_tiny}),
    "cnf-classes": ("cnf", {"hidden": 6, "blocks": 1, "classes": 3, **_close}),
    "ffjord": ("ffjord", {"hidden": 6, "blocks": 1, "kinetic": 0.01, "jacobian": 0.01, **_close}),
    "ffjord-augmented": ("ffjord", {"hidden": 6, "blocks": 1, "augment": 1, **_close}),
    "flow-matching": ("flow-matching", {"hidden": 6, "blocks": 1, **_close}),
    "ffjord-image": (
        "ffjord",
        {"event_shape": (4, 4, 1), "bits": 8, "multiscale": True, "hidden": 4, "blocks": 1, "levels": 2, **_close},
    ),
    "waveflow": (
        "waveflow",
        {"event_shape": (12,), "bits": 8, "height": 3, "condition": {"shape": [2, 3]}, **_small, "hidden": 4},
    ),
    "glow-additive": ("glow", {"event_shape": (4, 4, 2), "bits": 5, "coupling": "additive", **_tiny}),
}

STANDARDIZED = ("planar-classes", "maf", "nsf-coupling-condition", "ffjord-augmented", "cnf-classes")
FLOWS = {name: (family, {"standardize": name in STANDARDIZED, **config}) for name, (family, config) in FLOWS.items()}

# made of what other rows are made of too: tested with -m slow only
VARIANTS = (
    *("radial-condition", "glow-condition", "glow-additive", "glow-vector", "nice-image", "maf-classes", "maf-image"),
    *("cnf-classes", "ffjord-image"),
)


# the flows with networks that may compute in bfloat16; the plainest two have none
TAKES_BFLOAT16 = [
    name
    for name, (family, _) in FLOWS.items()
    if name not in ("planar", "radial") and "conditioner_dtype" in fields(flows.FAMILIES[family].Options)
]


def small(family, **wanted):
    """Options of a flow of continuous vectors: those wanted that the family has, within its bounds."""
    known = fields(flows.FAMILIES[family].Options)
    found = {name: value for name, value in {"bits": 0, **wanted}.items() if name in known}
    if "height" in known:  # of rows, of which even the smallest events have one
        found = {"height": 1, **found}
    if "depth" in found:
        found["depth"] = max(found["depth"], known["depth"].metadata["check"].least)
    return found


def new_transform(name, dtype="float32", conditioner_dtype=None):
    """The transform of a row with random weights, the same ones each time."""
    return randomized(TRANSFORMS[name].build(dtype, conditioner_dtype or dtype))


def new_base(name, dtype="float32"):
    """The base of a row with random weights, the same ones each time."""
    return randomized(BASES[name].build(dtype))


def new_flow(name, **changes):
    """The flow of a row with random weights, the same ones each time."""
    family, config = FLOWS[name]
    flow = randomized(flows.create(family, **{**config, **changes}))
    flow.xla = False  # compiling takes seconds for each shape; tests of XLA turn it on
    return flow


@functools.cache
def case(name):
    """The flow of a row and its data, for the checks of `flowzoo.testing`."""
    model = flow(name)
    made = Case(type(model), FLOWS[name][1])
    vars(made)["flow"] = model  # so that other tests share what they trace
    return made


SOLVED = [family for family, kind in flows.FAMILIES.items() if issubclass(kind, ContinuousFlow)]  # to a tolerance
LATENT = [family for family, kind in flows.FAMILIES.items() if issubclass(kind, LatentVariableModel)]  # no inverse
SURJECTIVE = ["funnel", "survae"]  # decode draws, so encode undoes decode, but not the other way round
transform = functools.cache(new_transform)  # shared by tests that leave the weights alone
base = functools.cache(new_base)
flow = functools.cache(new_flow)


def base_data(name, rows=6, dtype="float32", seed=1):
    """z, condition, seeds of a row's base; z lies in the box of the uniform one."""
    numbers, features = np.random.default_rng(seed), BASES[name].condition_features
    z = numbers.uniform(-0.9, 0.9, (rows, *VECTOR)).astype(dtype)
    condition = np.eye(3, dtype=dtype)[np.arange(rows) % 3] if features else None
    return tf.constant(z), None if condition is None else tf.constant(condition), random.row_seeds(7, rows)


def transform_data(name, rows=6, dtype="float32", seed=1):
    """x, condition, context of a row's transform."""
    case, numbers = TRANSFORMS[name], np.random.default_rng(seed)
    shape = (rows, *case.shape)
    x = {
        "normal": lambda: numbers.normal(size=shape).astype(dtype),
        "uniform": lambda: numbers.uniform(0.01, 0.99, shape).astype(dtype),
        "positive": lambda: numbers.gamma(2.0, size=shape).astype(dtype),
        "integers": lambda: numbers.integers(0, 256, shape, dtype=np.uint8),
        "audio": lambda: numbers.integers(-(2**15), 2**15, shape, dtype=np.int16),
    }[case.draw]()
    features = case.condition_features
    condition = tf.constant(numbers.normal(size=(rows, features)), dtype) if features else None
    return tf.constant(x), condition, Context(random.row_seeds(7, rows))


def flow_data(name, rows=6, seed=1):
    """x, condition of a row's flow, as NumPy arrays (condition may be None)."""
    return case(name).data(rows, seed)


def latents(model, rows=6, numbers=None):
    """z that the model decodes, normal numbers, or points of the sphere if it has one, as a NumPy array."""
    z = (numbers or np.random.default_rng(3)).normal(size=(rows, *model.latent_shape))
    z = z / np.linalg.norm(z, axis=-1, keepdims=True) if model.z_space.on_sphere else z
    return z.astype("float32")


def other_condition(condition):
    """A valid condition that differs from this one in every row."""
    return (condition + 1) % 3 if condition.dtype.kind == "i" else condition + 1.0
