"""Finds plug-ins: modules of a folder, and entry points of other packages.

A plug-in is a file that is found, not a name that is listed. Each module of a plug-in folder
defines one required name; files whose name starts with an underscore are helpers, no plug-ins.
A plug-in that cannot be loaded never stops the others: it is returned as `Broken`, with why.
"""

import importlib
import pkgutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

LOAD_DEADLINE_S = 30.0
"""Longest time that importing another package's plug-in may take, s."""


@dataclass(frozen=True, slots=True)
class Plugin:
    """One plug-in that was found.

    Args:
        name: Its file's name, or its entry point's.
        target: What the required name stands for in it.
        module: Where it was found, for messages.
        opt_in: Whether it is used only when named; a module says so with ``OPT_IN = True``.
        precedence: Place among plug-ins that offer the same; a module says it with
            ``PRECEDENCE = 10``, the lowest goes first, and 50 is what is not said.
    """

    name: str
    target: Any
    module: str
    opt_in: bool = False
    precedence: int = 50


@dataclass(frozen=True, slots=True)
class Broken:
    """A plug-in that could not be loaded, with the reason."""

    name: str
    reason: str


def plugins(folder: str, required: str) -> tuple[dict[str, Plugin], tuple[Broken, ...]]:
    """Everything found in the package *folder* and in the entry-point group of its name.

    Args:
        folder: A package's full name, such as ``bench.meters``.
        required: The name that each module defines, such as ``open_meter``.

    Returns:
        The plug-ins by name, alphabetically, and those that could not be loaded.
        A file of ours wins over an entry point of the same name.
    """
    found: dict[str, Plugin] = {}
    broken: list[Broken] = []
    for result in (*_modules(folder, required), *_entry_points(folder, required)):
        if isinstance(result, Broken):
            broken.append(result)
        elif result.name in found:
            broken.append(
                Broken(result.name, f"{result.module} has the name of {found[result.name].module}")
            )
        else:
            found[result.name] = result
    return dict(sorted(found.items())), tuple(broken)


def ours(folder: str, name: str, required: str) -> Plugin | None:
    """One file of ours by its name, without a look at the others; None if there is no such one.

    Args:
        folder: A package's full name, such as ``bench.verbs``.
        name: The file's name.
        required: The name that it defines.
    """
    package = importlib.import_module(folder)
    names = {entry.name for entry in pkgutil.iter_modules(package.__path__)}
    if name.startswith("_") or name not in names:
        return None
    found = _module(folder, name, required)
    return None if isinstance(found, Broken) else found


def _modules(folder: str, required: str) -> Iterator[Plugin | Broken]:
    package = importlib.import_module(folder)
    for entry in sorted(pkgutil.iter_modules(package.__path__), key=lambda entry: entry.name):
        if not entry.name.startswith("_"):
            yield _module(folder, entry.name, required)


def _module(folder: str, name: str, required: str) -> Plugin | Broken:
    try:
        module = importlib.import_module(f"{folder}.{name}")
    except (Exception, SystemExit) as error:  # noqa: BLE001 - the others go on
        return Broken(name, f"{type(error).__name__}: {error}")
    return _plugin(name, module, required)


def _entry_points(folder: str, required: str) -> Iterator[Plugin | Broken]:
    import importlib.metadata  # it loads all that reads e-mail: only where it is needed

    group = f"joulebench.{folder.rpartition('.')[2]}"
    for point in importlib.metadata.entry_points(group=group):
        target = _loaded(point)
        if isinstance(target, Broken):
            yield target
        elif isinstance(target, ModuleType):
            yield _plugin(point.name, target, required)
        else:
            yield Plugin(point.name, target, point.value)


def _loaded(point: "EntryPoint") -> object:
    """What somebody else's entry point stands for, or why it cannot be had, in a limited time."""
    found: list[object] = []

    def load() -> None:
        try:
            found.append(point.load())
        except (Exception, SystemExit) as error:  # noqa: BLE001 - the others go on
            found.append(Broken(point.name, f"{type(error).__name__}: {error}"))

    # one that hangs is left behind: a daemon, so that the program can end
    thread = threading.Thread(target=load, name=f"load {point.name}", daemon=True)
    thread.start()
    thread.join(LOAD_DEADLINE_S)
    if found:
        return found[0]
    return Broken(point.name, f"{point.value} did not load within {LOAD_DEADLINE_S:g} s")


def _plugin(name: str, module: ModuleType, required: str) -> Plugin | Broken:
    if not hasattr(module, required):
        return Broken(name, f"{module.__name__} does not define {required}")
    opt_in = bool(getattr(module, "OPT_IN", False))
    precedence = getattr(module, "PRECEDENCE", 50)
    if not isinstance(precedence, int):
        return Broken(name, f"its PRECEDENCE is {precedence!r}, wanted a whole number")
    return Plugin(name, getattr(module, required), module.__name__, opt_in, precedence)
