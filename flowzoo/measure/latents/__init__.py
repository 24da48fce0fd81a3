"""How a model uses its latents, and how good its posterior is: one file per kind of number."""
