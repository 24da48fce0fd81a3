"""Kinds of data, one file each: how they are written and drawn."""
