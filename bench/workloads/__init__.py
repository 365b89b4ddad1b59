"""Models with input and quality: one file each, found by `bench.discover`; each defines `load`."""
