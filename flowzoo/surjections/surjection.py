"""Maps that are deterministic in one direction and draw in the other."""

from __future__ import annotations

from collections.abc import Sequence

from flowzoo.core.transform import Transform


class InferenceSurjection(Transform):
    """z = f(x), several x having the same z; decode draws one of them.

    log_det is log p(x | z) plus the log |det| of the branch of f on which x lies, so log p(x) is exact, and
    encode(decode(z)) = z, which is what can be tested of it.

    Reference: Nielsen et al. 2020, SurVAE Flows, arXiv:2007.02731.
    """

    draws = frozenset({"decode"})
    invertible = False
    takes_context = True


class GenerativeSurjection(Transform):
    """x = f(z), several z giving the same x; encode draws one of them.

    log_det is -log q(z | x), so log p(x) >= E[log p(z) + log_det], and decode(encode(x)) = x.

    Reference: Nielsen et al. 2020, SurVAE Flows, arXiv:2007.02731.
    """

    kind = "lower_bound"
    draws = frozenset({"encode"})
    takes_context = True


def check_network(surjection: Transform, network, outputs: int) -> None:
    """TypeError or ValueError unless a network takes a latent of this surjection, and gives this many numbers."""
    if not hasattr(network, "input_event_shape") or not hasattr(network, "output_event_shape"):
        raise TypeError(
            f"{type(surjection).__name__}: `network` must be a conditioner, such as MLP({surjection.latent_shape[0]}, "
            f"{outputs}), got {type(network).__name__}."
        )
    taken, given = tuple(network.input_event_shape), tuple(network.output_event_shape)
    if taken != surjection.latent_shape or given != (outputs,):
        raise ValueError(
            f"{type(surjection).__name__}: `network` must take {surjection.latent_shape} per example and give "
            f"({outputs},), got one from {taken} to {given}."
        )


def vector(event_shape: Sequence[int], who: str) -> int:
    """The number of features of (features,), or ValueError."""
    if len(tuple(event_shape)) != 1:
        raise ValueError(f"{who} takes `event_shape` (features,), got {tuple(event_shape)}. Flatten the data first.")
    return int(event_shape[0])
