"""`Flow`, the Keras model of a transform and a base, and what `fit`, saving and checking need."""
