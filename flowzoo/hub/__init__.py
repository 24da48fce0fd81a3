"""Where presets and their files are found: installed, in the cache, or on a hub."""
