"""Presets and trained weights: read, load, describe and measure them again."""
