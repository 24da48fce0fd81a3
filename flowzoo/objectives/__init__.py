"""What `fit` minimises: one file per objective, and `registry`, which names them."""
