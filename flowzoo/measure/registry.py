"""The measurements that flowzoo knows, in the order in which cards show them and `verify` compares them."""

from flowzoo.core.errors import PresetError, nearest
from flowzoo.measure.active_units import ActiveUnits
from flowzoo.measure.bound_of_50 import BoundOf50
from flowzoo.measure.certificate import Certificate
from flowzoo.measure.digits_read import DigitsRead
from flowzoo.measure.elbo import Elbo
from flowzoo.measure.evaluations import Evaluations
from flowzoo.measure.kl_divergence import KLDivergence
from flowzoo.measure.likelihood import BitsPerDim, LogLikelihood
from flowzoo.measure.likelihood_above_lpc import AboveLinearPrediction
from flowzoo.measure.likelihood_logit import LogitLikelihood
from flowzoo.measure.likelihood_lpc import LinearPrediction
from flowzoo.measure.likelihood_sample import SampleLikelihood
from flowzoo.measure.likelihood_unit import UnitLikelihood
from flowzoo.measure.log_det_error import LogDetError
from flowzoo.measure.measurement import Measurement
from flowzoo.measure.other_data_set import OtherDataSet
from flowzoo.measure.shipped_likelihood import ShippedBitsPerDim, ShippedLogLikelihood
from flowzoo.record.preset import Preset

MEASUREMENTS: tuple[Measurement, ...] = (
    BitsPerDim(),
    LogLikelihood(),
    KLDivergence(),
    Elbo(),
    BoundOf50(),
    ActiveUnits(),
    UnitLikelihood(),
    LogitLikelihood(),
    SampleLikelihood(),
    LinearPrediction(),
    AboveLinearPrediction(),
    DigitsRead(),
    Evaluations(),
    ShippedBitsPerDim(),
    ShippedLogLikelihood(),
    Certificate(),
    OtherDataSet(),
    LogDetError(),
)


def headline(preset: Preset) -> Measurement:
    """The number that stands for a model: in tables, in publishing for the better, in training for the best weights."""
    return next(measurement for measurement in MEASUREMENTS if measurement.leads(preset))


def validation(preset: Preset, name: str) -> Measurement:
    """What picks the best weights of a training: the measurement of this name, or the headline for "".

    Raises:
        PresetError: there is none, or it says nothing of one model as it trains.
    """
    if not name:
        return headline(preset)
    known = {one.name: one for one in MEASUREMENTS if one.validates(preset)}
    if name not in known:
        hint = nearest(name, list(known))
        raise PresetError(f"{preset.source}: `training.validation` must be what can be validated, got {name!r}. {hint}")
    return known[name]


def headline_text(preset: Preset, absent: str, unit: bool = True) -> str:
    """The value of `headline` in a table; `absent` if it has not been measured yet."""
    first = headline(preset)
    if entry := first.entry(preset):
        return first.brief(entry, unit)
    return "recipe only" if preset.recipe_only else absent


def column_unit(column: str) -> str:
    """The unit of a column of a training's history, which is what its validations lower; its name if it is unknown."""
    return next((one.column_unit for one in MEASUREMENTS if one.column == column), column)


def require_measurements(preset: Preset) -> None:
    """Refuses a card of which a part is not as its measurement writes it; raises `PresetError`."""
    for measurement in MEASUREMENTS:
        measurement.entry(preset)
