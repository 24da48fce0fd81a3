"""Training on several devices and machines by `tf.distribute`."""
