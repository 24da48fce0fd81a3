"""How a model uses its latents, and how good its posterior is."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from flowzoo.core.bars import bar
from flowzoo.core.checks import check_count
from flowzoo.core.graphs import filled_up
from flowzoo.measure.active_units import unit_variances
from flowzoo.measure.latents.aggregate import log_aggregate
from flowzoo.measure.latents.annealed import STARTS, log_weights
from flowzoo.measure.latents.fitted import fitted
from flowzoo.measure.latents.pareto import LEAST, k_hat
from flowzoo.measure.latents.per_unit import CLOSED, kl_of_units
from flowzoo.measure.latents.report import LatentReport
from flowzoo.measure.latents.view import DRAWS, Rows, View
from flowzoo.models.flow import Flow

BLOCK = 16  # rows that go through the networks together, always, so that no row's last bit depends on where it stands
AT_ONCE = 2**22  # numbers of x, repeated for draws or chains, that are in memory at once
SPREAD = 4096  # draws from the aggregate posterior, or one for each row if those are more


def diagnose_latents(
    model: Flow,
    x: Any,
    condition: Any = None,
    seed: int = 0,
    *,
    draws: int = 1000,
    close: int = 32,
    steps: int = 500,
    chains: int = 10,
    temperatures: int = 100,
    start: str = "posterior",
    progress: bool = False,
) -> LatentReport:
    """Looks at a model's latents: which units are used, what they say about x, and how far q(z | x) is from p(z | x).

    All that is drawn for a row is a pure function of `seed` and the row's content. Rows are taken in blocks; of each
    only the posterior's parameters and a draw of z stay in memory. Time grows with them: for each row `draws` passes
    through the decoder and one density for each row, or for few rows some thousand; and for the first `close` rows
    16 * `steps` passes with gradients to fit their posteriors, and 6 * `chains` * `temperatures` to anneal.

    Args:
        model: a model that ends with its only stochastic layer, such as a VAE.
        x: (n, *event_shape), in native units, at least two rows.
        condition: (n,) labels or (n, features), if the model takes one. The mutual information is then that of z and
            the pair of x and condition.
        seed: of all draws.
        draws: from q(z | x) for each row, at least 25; fewer than about 1,000 leave k-hat uncertain.
        close: how many rows, from the first on, have their posterior fitted and their evidence annealed.
        steps: of fitting; 0 to leave it out.
        chains: of annealing, for each row; 0 to leave it out. Latents on a sphere are neither fitted nor annealed, as
            both move z, or its posterior, along straight lines.
        temperatures: steps of each chain.
        start: where chains begin, "posterior" or "prior": from the posterior few temperatures are enough, unless it
            misses a mode of p(z | x).
        progress: show bars, on stderr, if it is a terminal.

    Returns:
        A `LatentReport`: a table by `print`, `plot(path)` draws it.

    Raises:
        TypeError, ValueError: the model is not a flow or has no latent; x or the condition does not suit it, holds NaN
            or infinity, or has too few rows; or an option is out of range.

    References: Burda et al. 2016, Importance weighted autoencoders, arXiv:1509.00519; Hoffman & Johnson 2016, ELBO
    surgery; Cremer et al. 2018, Inference suboptimality in variational autoencoders, arXiv:1801.03558; Yao et al. 2018,
    Yes, but did it work?, arXiv:1802.02538; Wu et al. 2017, On the quantitative analysis of decoder-based generative
    models, arXiv:1611.04273.
    """
    if not isinstance(model, Flow):
        raise TypeError(f"`model` must be a Flow, such as `flowzoo.load(name)` gives, got {type(model).__name__}.")
    view = View(model)
    check_count(draws, "draws", LEAST)
    check_count(close, "close")
    check_count(temperatures, "temperatures")
    check_count(steps, "steps", 0)
    check_count(chains, "chains", 0)
    if view.posterior.on_sphere:
        steps = chains = 0
    if start not in STARTS:
        raise ValueError(f"`start` must be one of {', '.join(map(repr, STARTS))}, got {start!r}.")
    x, condition = model.intake.tensors(x, condition)
    if len(x) < 2:
        raise ValueError(f"`x` must hold at least 2 rows, which are compared with each other, got {len(x)}.")
    blocks = functools.partial(_blocks, view, model.condition, model.raw.as_seed(seed), progress=progress)
    found = _drawn(view, blocks(x, condition, what="draws"), draws, min(draws, max(1, SPREAD // len(x))))
    aggregate = log_aggregate(view, found.pop("z"), found.pop("parameters"), progress=progress)
    aggregate = aggregate.reshape(len(x), -1)
    log_q, log_prior, unit_kl = (found.pop(name) for name in ("log_q", "log_prior", "unit_kl"))
    some = functools.partial(blocks, x[:close], model.condition.rows(condition, slice(close)))
    evidence, error = _annealed(view, some(what="annealing"), chains, temperatures, start)
    return LatentReport(
        draws=draws,
        unit_variances=unit_variances(found.pop("mean")),
        unit_kl=unit_kl.mean(axis=0),
        information=(log_q - aggregate).mean(axis=1),
        aggregate_kl=(aggregate - log_prior).mean(axis=1),
        fitted_elbo=_fitted(view, some(what="fitting"), steps, draws),
        evidence=evidence,
        evidence_error=error,
        **found,
    )


def _blocks(view, space, seed, x, condition, *, what, progress) -> Iterator[tuple[Rows, tf.Tensor, int]]:
    """`Rows` of 16, the posterior's mean, and how many of them are not just there to fill up."""
    with bar(len(x), what, shown=progress) as done:
        for start in range(0, len(x), BLOCK):
            part = x[start : start + BLOCK], space.rows(condition, slice(start, start + BLOCK))
            count = len(part[0])
            yield *view.rows(*filled_up(part, BLOCK - count), seed), count
            done.update(count)


def _drawn(view, blocks, draws, spread) -> dict[str, Any]:
    """What draws say of the rows; of `spread` draws of each also z, (n * spread, ...), log q(z | x) and log p(z)."""
    of_units, parts = tf.function(functools.partial(kl_of_units, view), autograph=False), []
    for rows, mean, count in blocks:
        log_w, z, log_q, log_prior = _weights(view, rows, draws)
        unit_kl, how = of_units(rows, tf.constant(z))
        how, unit_kl = how.numpy().decode(), unit_kl.numpy().astype(np.float64)
        kept = {
            "mean": mean.numpy(),
            "unit_kl": unit_kl,
            "kl": unit_kl.sum(axis=1) if how == CLOSED else (log_q - log_prior).mean(axis=1),
            "elbo": log_w.mean(axis=1),
            "bound": _log_mean(log_w),
            "k_hat": k_hat(log_w),
            "z": z[:, :spread],
            "log_q": log_q[:, :spread],
            "log_prior": log_prior[:, :spread],
        }
        parts.append(({name: value[:count] for name, value in kept.items()}, _first(rows.parameters, count)))
    found = {name: np.concatenate([part[name] for part, _ in parts]) for name in parts[0][0]}
    found["z"] = found["z"].reshape(-1, *view.latent_shape)
    found["parameters"] = tf.nest.map_structure(lambda *some: tf.concat(some, axis=0), *(part for _, part in parts))
    return found | {"unit_kl_is": how}


def _weights(view: View, rows: Rows, draws: int) -> list[np.ndarray]:
    """`View.weights` of all draws, in float64 but for z."""
    at_once = min(draws, max(1, AT_ONCE // (BLOCK * max(math.prod(rows.y.shape[1:]), 1))))
    parts = [view.weights(rows, tf.constant(first), at_once, DRAWS) for first in range(0, draws, at_once)]
    log_w, z, log_q, log_prior = (np.concatenate(some, axis=1)[:, :draws] for some in zip(*parts, strict=True))
    return [log_w.astype(np.float64), z, log_q.astype(np.float64), log_prior.astype(np.float64)]


def _fitted(view, blocks, steps, draws) -> np.ndarray:
    """The ELBO of each row with a posterior of its own; nothing without steps."""
    if not steps:
        return np.zeros(0)
    fit, found = tf.function(functools.partial(fitted, view, steps=steps), autograph=False), []
    for rows, _, count in blocks:
        best = rows._replace(parameters=fit(rows))
        found.append(_weights(view, best, draws)[0].mean(axis=1)[:count])
    return np.concatenate(found)


def _annealed(view, blocks, chains, temperatures, start) -> tuple[np.ndarray, np.ndarray]:
    """log p(x) of each row and its standard error; nothing without chains."""
    if not chains:
        return np.zeros(0), np.zeros(0)
    how = {"chains": chains, "steps": temperatures, "start": start}
    anneal, found = tf.function(functools.partial(log_weights, view, **how), autograph=False), []
    for rows, _, count in blocks:
        found.append(anneal(rows).numpy()[:count])
    found = np.concatenate(found)
    if chains == 1:  # of which no error is known
        return found[:, 0], np.full(len(found), math.nan)
    relative = np.exp(found - _log_mean(found)[:, None])
    return _log_mean(found), relative.std(axis=1, ddof=1) / math.sqrt(chains)


def _first(parameters, count):
    return tf.nest.map_structure(lambda one: one[:count], parameters)


def _log_mean(log_w: np.ndarray) -> np.ndarray:
    """log of the mean of weights of each row, (n, draws) -> (n,)."""
    return np.logaddexp.reduce(log_w, axis=1) - math.log(log_w.shape[1])
