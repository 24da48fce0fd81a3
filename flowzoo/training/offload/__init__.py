"""Training steps on a device that JAX reaches and TensorFlow does not."""
