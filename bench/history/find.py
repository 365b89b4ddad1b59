"""Finds the journal that somebody means by a path, a run id or a part of its name."""

from pathlib import Path

from bench.record import JournalError
from bench.records import journals

_MOST = 6


def journal_of(name: str, folder: Path) -> Path:
    """The one journal that *name* means.

    Args:
        name: The path of a journal, or a run id, or any part of the name of a file in *folder*.
        folder: Where journals are.

    Raises:
        JournalError: There is none, or there are several.
    """
    path = Path(name)
    if path.is_file():
        return path
    found = [each for each in journals(folder) if name in each.stem]
    exact = [each for each in found if each.stem.endswith(f"-{name}") or each.stem == name]
    if len(exact) == 1:
        return exact[0]
    if not found:
        raise JournalError(
            f"found no journal {name!r}, wanted a path, or a part of a name in {folder}/;"
            f" see ls {folder}"
        )
    if len(found) > 1:
        names = ", ".join(each.name for each in found[:_MOST])
        more = f" and {len(found) - _MOST} more" if len(found) > _MOST else ""
        raise JournalError(
            f"found {len(found)} journals with {name!r} in their names ({names}{more}), wanted one;"
            " give a longer part"
        )
    return found[0]
