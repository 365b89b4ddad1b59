"""History: two runs beside each other, the index of a results folder, and trends over nights.

Pure: `differences`, `changes`, `summary`, `noise`, `series`, `shifts`. Shell: `store` and `index`
keep ``results/.index/``, `find` looks for a run by a part of its name.
"""
