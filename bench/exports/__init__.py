"""Formats of other tools that a journal can be handed to: one file each, and they are found.

A module defines ``export``, a `bench.export_format.FileFormat` or `StoreFormat`; its file's name
is the format's. Packages of other people join by the entry point ``joulebench.exports``.
"""
