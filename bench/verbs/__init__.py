"""The verbs of ``joulebench``: one file each, found by `bench.discover`.

Each defines ``add(verbs)``, which adds its parser and sets its ``verb``: a function that takes the
parsed options and gives the exit code.
"""

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    Verbs = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - it has no other name
