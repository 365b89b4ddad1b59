"""The published tables as data: every number with its source and how sure it is."""
