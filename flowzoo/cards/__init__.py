"""Model cards: pages, curves and drawings, made from presets."""
