"""Power sources: one file each, found by `bench.discover`; each defines `open_meter`."""
