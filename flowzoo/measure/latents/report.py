"""What `diagnose_latents` found, as numbers, a table and a figure."""

from __future__ import annotations

import dataclasses
import math
import os
from pathlib import Path
from typing import Any

import numpy as np

from flowzoo.core.files import png_path, write_figure
from flowzoo.measure.active_units import LEAST
from flowzoo.measure.latents.pareto import most

SHOWN = 20  # units in the table, those with the largest KL


@dataclasses.dataclass(frozen=True, eq=False)
class LatentReport:
    """How a model uses its latents on some rows, and how good its posterior is; likelihoods are in nats.

    Arrays are by row, (n,), by row for the first m rows, (m,), or by unit of the flattened latent, (units,).

    Attributes:
        draws: from q(z | x) for each row.
        unit_variances: (units,), variance over rows of the posterior mean.
        unit_kl: (units,), mean over rows of KL(q(z_i | x) || p(z_i)).
        unit_kl_is: how it was found: "closed form"; "by draws"; "of the marginals, by draws", where q(z | x) is not a
            product over units; "not defined by unit", NaN, where the prior is not.
        kl: (n,), KL(q(z | x) || p(z)): the sum over units of the closed form, else by draws.
        information: (n,), the mean over draws of log q(z | x) - log q(z), with q(z) the mean of q(z | x) over rows.
        aggregate_kl: (n,), the mean over the same draws of log q(z) - log p(z).
        elbo: (n,), the mean over draws of log w = log p(x, z) - log q(z | x).
        bound: (n,), the log of the mean of w: the importance-weighted bound.
        k_hat: (n,), of the weights w; -inf where they are all equal.
        fitted_elbo: (m,), the ELBO, by draws with the same random numbers, of a posterior fitted to each row.
        evidence: (m,), log p(x) by annealed importance sampling, whose mean lies below it.
        evidence_error: (m,), its standard error, from how the chains of a row differ.
    """

    draws: int
    unit_variances: np.ndarray
    unit_kl: np.ndarray
    unit_kl_is: str
    kl: np.ndarray
    information: np.ndarray
    aggregate_kl: np.ndarray
    elbo: np.ndarray
    bound: np.ndarray
    k_hat: np.ndarray
    fitted_elbo: np.ndarray
    evidence: np.ndarray
    evidence_error: np.ndarray

    @property
    def active(self) -> np.ndarray:
        """Which units are active, (units,) bool: their variance is above 0.01 (Burda et al. 2016)."""
        return self.unit_variances > LEAST

    @property
    def mutual_information(self) -> float:
        """I(x; z) of the rows, in nats; at most the log of their number."""
        return float(self.information.mean())

    @property
    def bound_gap(self) -> np.ndarray:
        """(n,): the importance-weighted bound less the ELBO, at least 0."""
        return self.bound - self.elbo

    @property
    def amortisation_gap(self) -> np.ndarray:
        """(m,): what the ELBO gains by a posterior fitted to each row."""
        return self.fitted_elbo - self.elbo[: len(self.fitted_elbo)]

    @property
    def approximation_gap(self) -> np.ndarray:
        """(m,): what is missing even then, log p(x) by annealing less the ELBO of the fitted posterior."""
        count = min(len(self.evidence), len(self.fitted_elbo))
        return self.evidence[:count] - self.fitted_elbo[:count]

    @property
    def unreliable(self) -> float:
        """The share of rows whose k-hat is too high for estimates from these draws (Vehtari et al. 2024)."""
        return float((~(self.k_hat <= most(self.draws))).mean())

    @property
    def finite(self) -> bool:
        """Whether every likelihood is finite."""
        found = (self.kl, self.information, self.elbo, self.bound, self.fitted_elbo, self.evidence)
        return all(np.isfinite(one).all() for one in found)

    def as_dict(self) -> dict[str, Any]:
        """All numbers under their names, arrays as lists, and what follows from them."""
        found = {name: value.tolist() if isinstance(value, np.ndarray) else value for name, value in vars(self).items()}
        follows = {"active": self.active.tolist(), "mutual_information": self.mutual_information}
        for name in ("bound_gap", "amortisation_gap", "approximation_gap"):
            follows[name] = getattr(self, name).tolist()
        return found | follows | {"unreliable": self.unreliable}

    def __str__(self) -> str:
        n, m = len(self.elbo), max(len(self.fitted_elbo), len(self.evidence))
        kind = "closed form" if self.unit_kl_is == "closed form" else "by draws"
        close = f"of the first {m} rows:" if m < n else ""
        rows = [
            (f"of {n:,} rows, {self.draws:,} draws each, in nats", "mean", "std. error", "least", "most"),
            ("ELBO", *_summary(self.elbo)),
            ("importance-weighted bound (IWAE)", *_summary(self.bound)),
            ("IWAE - ELBO", *_summary(self.bound_gap)),
            (f"KL(q(z | x) || p(z)), {kind}", *_summary(self.kl)),
            (f"mutual information of x and z, <= {math.log(n):.2f}", *_summary(self.information)),
            ("KL(q(z) || p(z)), q(z) the aggregate of the rows", *_summary(self.aggregate_kl)),
            (
                f"Pareto k-hat (median), above {most(self.draws):.2f} in {self.unreliable:.0%}",
                *_summary(self.k_hat, True),
            ),
            (close,) if m and close else (),
            ("ELBO of posteriors fitted by row", *_summary(self.fitted_elbo)) if len(self.fitted_elbo) else (),
            ("amortisation gap", *_summary(self.amortisation_gap)) if len(self.fitted_elbo) else (),
            ("evidence by annealing", *_summary(self.evidence)) if len(self.evidence) else (),
            ("approximation gap", *_summary(self.approximation_gap)) if len(self.approximation_gap) else (),
        ]
        width = max(len(row[0]) for row in rows if row)
        lines = [f"{row[0]:{width}}" + "".join(f"{one:>12}" for one in row[1:]) for row in rows if row]
        return "\n".join([*map(str.rstrip, lines), "", *self._units()])

    def plot(self, path: str | os.PathLike) -> Path:
        """Draws KL by unit, the gaps and k-hat by row into a .png, all or nothing.

        Raises:
            ValueError: the path does not end in .png.
            OSError: it can't be written.
        """
        from matplotlib.figure import Figure

        path = png_path(path)
        figure = Figure(figsize=(8, 7), layout="constrained")
        units, gaps, tails = figure.subplots(3)
        order, place = self._order(), np.arange(len(self.unit_kl))
        for active, color in ((True, "C0"), (False, "0.6")):
            of = self.active[order] == active
            units.bar(place[of], self.unit_kl[order][of], color=color, label="active" if active else "not active")
        units.set(title=f"{self.active.sum()} of {len(order)} units are active", ylabel="KL, nats")
        units.set_xlabel("units, by their KL")
        units.legend()
        named = {"IWAE - ELBO": self.bound_gap, "amortisation": self.amortisation_gap}
        named["approximation"] = self.approximation_gap
        named = {name: values[np.isfinite(values)] for name, values in named.items()}
        named = {name: values for name, values in named.items() if len(values)}
        if named:
            gaps.boxplot(list(named.values()))
            gaps.set_xticks(range(1, 1 + len(named)), named)
        gaps.set(title="gaps by row", ylabel="nats")
        tails.hist(self.k_hat[np.isfinite(self.k_hat)], bins=30, color="C0")
        tails.axvline(most(self.draws), color="tab:red")
        tails.set(title=f"k-hat: {self.unreliable:.0%} of the rows too high", xlabel="k-hat", ylabel="rows")
        write_figure(path, figure, dpi=100)
        return path

    def _order(self):
        """Units by falling KL, or by variance if that is unknown."""
        known = np.isfinite(self.unit_kl).all()
        return np.argsort(-(self.unit_kl if known else self.unit_variances), kind="stable")

    def _units(self):
        order = self._order()
        lines = [f"{self.active.sum()} of {len(order)} units are active: the variance of their mean is above {LEAST}"]
        lines.append(f"{'unit':>6}{'variance':>12}{'KL':>10}   {self.unit_kl_is}")
        for unit in order[:SHOWN]:
            idle = "" if self.active[unit] else "   not active"
            lines.append(f"{unit:6}{self.unit_variances[unit]:12.4f}{self.unit_kl[unit]:10.4f}{idle}")
        rest = order[SHOWN:]
        if len(rest):
            lines.append(f"and {len(rest)} others, {self.active[rest].sum()} of them active")
        return lines


def _summary(values, median=False):
    """Mean and its standard error over rows, or the median; least and most."""
    centre = f"{np.median(values):.3f}" if median else f"{values.mean():.3f}"
    known = len(values) > 1 and not median
    error = f"{values.std(ddof=1) / math.sqrt(len(values)):.3f}" if known else ""
    return centre, error, f"{values.min():.3f}", f"{values.max():.3f}"
