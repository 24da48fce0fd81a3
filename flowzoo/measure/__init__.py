"""What is measured of a model, one file per kind of number."""
