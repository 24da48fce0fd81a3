"""Model cards: pages, tables, curves and drawings, made from presets."""
