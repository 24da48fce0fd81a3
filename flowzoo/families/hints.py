"""The option that was meant by a name that a family does not take."""

from __future__ import annotations

from collections.abc import Iterable

from flowzoo.core.errors import nearest

SYNONYMS = {  # option: what other libraries, and people, call it
    "depth": "layers flows transforms blocks steps couplings bijectors n_layers num_layers n_flows num_flows",
    "hidden": "units width channels neurons hidden_features hidden_units hidden_size hidden_dim hidden_channels",
    "blocks": "hidden_layers num_blocks n_blocks num_hidden_layers",
    "bins": "num_bins n_bins count_bins knots",
    "bound": "tail_bound bounds interval limit",
    "components": "mixtures n_components num_components",
    "levels": "scales num_scales n_scales num_levels n_levels",
    "classes": "num_classes n_classes labels n_labels num_labels",
    "condition_features": "context context_features context_size context_dim condition condition_dim cond_dim",
    "event_shape": "features dim dims input_dim input_shape input_size shape size n_features num_features",
    "seed": "random_state random_seed rng",
    "base": "prior latent distribution base_distribution",
    "rtol": "tol tolerance",
}
ONLY_INTEGERS = {"levels", "position", "alpha", "noise_depth", "noise_hidden", "multiscale"}  # need `bits`


def meant(name: str, options: Iterable[str], integers: bool) -> str:
    """The fix for an unknown option: a synonym of the family's own, else the nearest of its names.

    Args:
      name: that was given.
      options: which the family takes.
      integers: whether the flow is for integers, such as images; what only these take is not proposed for others.
    """
    own = {option for option in options if integers or option not in ONLY_INTEGERS}
    for option, others in SYNONYMS.items():
        if option in own and name.lower() in others.split():
            return f"Did you mean {option!r}?"
    return nearest(name, own)
