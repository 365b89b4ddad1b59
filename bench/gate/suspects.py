"""Which commits touch a case: those that change its test's file, or a file that this imports.

The imports are read, not run, at both revisions. What a program loads by name at run time (a
plug-in, a file of weights) is not seen: the other commits are counted, so that nobody takes the
list for all there is.
"""

import ast
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import PurePosixPath

from bench.gate.repository import Commit, Repository


@dataclass(frozen=True, slots=True)
class Suspects:
    """The commits between two revisions, as seen from one case.

    Args:
        touching: Those that touch its code, newest first.
        others: How many do not.
        paths: What its code is: files of the repository.
    """

    touching: tuple[Commit, ...]
    others: int
    paths: tuple[str, ...]


def suspects(repository: Repository, base: str, head: str, nodeid: str) -> Suspects | None:
    """The commits of ``base..head`` from the point of view of one case.

    Args:
        repository: Opened where pytest was called.
        base: Hash.
        head: Hash.
        nodeid: The test of the case, as its record says; empty if no test made it.

    Returns:
        None where no test is known, or its file is in neither revision.
    """
    test = repository.prefix() + nodeid.partition("::")[0] if nodeid else ""
    paths: set[str] = set()
    for revision in (base, head):
        files = repository.files(revision)
        if test in files:
            paths |= sources(files, partial(repository.text, revision), test)
    if not paths:
        return None
    ordered = tuple(sorted(paths))
    touching = repository.log(base, head, ordered)
    return Suspects(touching, repository.count(base, head) - len(touching), ordered)


def sources(files: Collection[str], read: Callable[[str], str], test: str) -> set[str]:
    """The test's file, the ``conftest.py`` above it, and what they import inside the repository.

    Args:
        files: All paths of the repository, with ``/``.
        read: Gives the text of one.
        test: The test's file, one of *files*.

    >>> texts = {"a/test_x.py": "from m import f", "a/m.py": "import json", "b.py": ""}
    >>> sorted(sources(texts, texts.__getitem__, "a/test_x.py"))
    ['a/m.py', 'a/test_x.py']
    """
    above = [str(folder / "conftest.py") for folder in PurePosixPath(test).parents]
    waiting = [test, *(path for path in above if path in files)]
    found: set[str] = set()
    while waiting:
        path = waiting.pop()
        if path in found:
            continue
        found.add(path)
        if path.endswith(".py"):
            waiting += _imported(files, path, read(path))
    return found


def _imported(files: Collection[str], path: str, text: str) -> Iterator[str]:
    """The files of the repository that one file imports; none of one that is no Python."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from _absolute(files, path, alias.name)
        elif isinstance(node, ast.ImportFrom):
            named = [alias.name for alias in node.names if alias.name != "*"]
            for name in ["", *named]:
                module = ".".join(filter(None, (node.module, name)))
                if node.level:
                    folder = _up(PurePosixPath(path).parent, node.level - 1)
                    yield from _files_of(files, folder, module)
                elif module:
                    yield from _absolute(files, path, module)


def _up(folder: PurePosixPath, levels: int) -> PurePosixPath:
    for _ in range(levels):
        folder = folder.parent
    return folder


def _absolute(files: Collection[str], path: str, module: str) -> Iterator[str]:
    """Where a module may lie: beside the file, in a folder above it, or in the ``src`` of one."""
    for folder in PurePosixPath(path).parents:
        for root in (folder, folder / "src"):
            if found := list(_files_of(files, root, module)):
                yield from found
                return


def _files_of(files: Collection[str], root: PurePosixPath, module: str) -> Iterator[str]:
    """The file of a module under a folder, and the ``__init__.py`` that run before it."""
    package = root
    for part in module.split(".") if module else ():
        if str(package / f"{part}.py") in files:
            yield str(package / f"{part}.py")
            return
        package /= part
        if str(package / "__init__.py") in files:
            yield str(package / "__init__.py")
    if not module and str(root / "__init__.py") in files:
        yield str(root / "__init__.py")
