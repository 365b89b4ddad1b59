"""The options that say what must be read: ``--meters`` and ``--require``."""

import argparse


def add_meters(parser: argparse.ArgumentParser, *more: str) -> None:
    """Adds both options; *more* are further things that can be required."""
    parser.add_argument(
        "--meters",
        metavar="NAMES",
        help="meters that must open, e.g. powercap,plug:http://10.0.0.7; default: all that can",
    )
    parser.add_argument(
        "--require",
        choices=["measured", *more],
        help="exit with 10 if no such instrument can be read",
    )


def names(options: argparse.Namespace) -> list[str] | None:
    """The meters that were named; None for all that can open.

    Raises:
        ValueError: One of the names is empty.
    """
    if not options.meters:
        return None
    found = [name.strip() for name in options.meters.split(",")]
    if not all(found):
        raise ValueError(f"--meters {options.meters}: found an empty name; write A,B without more")
    return found
