"""Parts of the report: one file each, found by `bench.discover`; each defines `section`."""
