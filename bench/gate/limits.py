"""The least changes that count, as a user types them: ``2%``, ``resnet*=5%``, ``tiny*=20uJ``."""

import re
from collections.abc import Iterable

_PERCENT = re.compile(r"(?:(.+)=)?(\d+\.?\d*|\.\d+) ?%")
_JOULES = re.compile(r"(?:(.+)=)?(\d+\.?\d*|\.\d+) ?([kmuµn]?)J")
_PREFIXES = {"k": 1e3, "": 1.0, "m": 1e-3, "u": 1e-6, "µ": 1e-6, "n": 1e-9}
ALL = "*"
"""The pattern of a limit that is given without one."""
_MOST = 100.0


def margins(texts: Iterable[str]) -> tuple[tuple[str, float], ...]:
    """Patterns of cases, each with a share.

    Raises:
        ValueError: A text is no percentage above 0 and below 100.

    >>> margins(["2%", "resnet*=5 %"])
    (('*', 0.02), ('resnet*', 0.05))
    """
    made = []
    for text in texts:
        found = _PERCENT.fullmatch(text.strip())
        if not found or not 0 < float(found[2]) < _MOST:
            raise ValueError(
                f"--margin {text}: wanted a percentage such as 2%, or 'resnet*=5%' for some cases"
            )
        made.append((found[1] or ALL, float(found[2]) / 100))
    return tuple(made)


def floors(texts: Iterable[str]) -> tuple[tuple[str, float], ...]:
    """Patterns of cases, each with J/sample.

    Raises:
        ValueError: A text is no energy above 0.

    >>> floors(["1mJ", "tiny*=0.5 J"])
    (('*', 0.001), ('tiny*', 0.5))
    """
    made = []
    for text in texts:
        found = _JOULES.fullmatch(text.strip())
        if not found or float(found[2]) <= 0:
            raise ValueError(
                f"--floor {text}: wanted an energy such as 1mJ, or 'tiny*=20uJ' for some cases"
            )
        made.append((found[1] or ALL, float(found[2]) * _PREFIXES[found[3]]))
    return tuple(made)
