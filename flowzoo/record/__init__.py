"""The preset and its recipe: typed, bounded JSON that is read without TensorFlow."""
