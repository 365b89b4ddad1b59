"""Compression methods: one file each, found by `bench.discover`; each defines `apply`."""
