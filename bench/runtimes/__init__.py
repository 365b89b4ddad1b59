"""What executes a model: one file each, found by `bench.discover`; each defines `prepare`."""
