"""``py:MODULE:FACTORY``: what a function of a user's gives: a callable, a module, or a suite."""

import functools
import hashlib
import importlib
import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from bench.catalogue import samples_in
from bench.own import Own, Wish
from bench.refusal import Refusal
from bench.suite import Suite


def load(what: str, wish: Wish) -> Own | Suite:
    """What the factory gives: a callable, ``(callable, inputs)``, or a `bench.Suite`.

    *inputs* may be a function that gives them for a batch. A torch module and a suite need no
    factory. The current folder is on the path.

    Raises:
        ValueError: The module or the name in it is not there.
        Refusal: The factory fails, or gives what cannot be called.
    """
    place, _, name = what.rpartition(":")
    if not place or not name:
        raise ValueError(f"py:{what}: write py:MODULE:FACTORY, such as py:mynet:make")
    module = _imported(what, place)
    found = _given(what, _looked_up(what, module, name))
    if isinstance(found, Suite):
        return found
    model, inputs = found if isinstance(found, tuple) and len(found) == 2 else (found, None)  # noqa: PLR2004 - a pair
    if not callable(model):
        raise Refusal(
            f"py:{what} gave a {type(model).__name__}, wanted a callable, (callable, inputs) or a"
            " bench.Suite",
            "let the factory return one of them",
        )
    draw = functools.partial(_drawn, inputs, wish)
    return Own(
        name=f"py:{name}",
        model=_evaluating(model),
        draw=draw,
        samples=samples_in(draw(wish.seed)),
        version=_version(module),
    )


def _imported(what: str, place: str) -> ModuleType:
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        return importlib.import_module(place)
    except (Exception, SystemExit) as error:
        told = " ".join(str(error).split())
        raise ValueError(
            f"py:{what}: {place} cannot be imported ({type(error).__name__}: {told}); run from the"
            " folder where it lies, with what it needs installed"
        ) from error


def _looked_up(what: str, module: ModuleType, name: str) -> Any:  # noqa: ANN401 - a user's own
    found: Any = module
    try:
        for part in name.split("."):
            found = getattr(found, part)
    except AttributeError as error:
        public = [each for each in vars(module) if not each.startswith("_")]
        raise ValueError(
            f"py:{what}: {module.__name__} has no {name}; it has {', '.join(public) or 'nothing'}"
        ) from error
    return found


def _given(what: str, found: Any) -> Any:  # noqa: ANN401 - a user's own
    """What the factory gives; a suite and a torch module stand for themselves."""
    if isinstance(found, Suite) or _is_module(found):
        return found
    if not callable(found):
        return found
    try:
        return found()
    except Exception as error:
        told = " ".join(str(error).split())
        raise Refusal(
            f"py:{what} failed ({type(error).__name__}: {told})",
            "a factory takes no arguments, and gives what is measured",
        ) from error


def _is_module(found: object) -> bool:
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(found, torch.nn.Module)


def _evaluating(model: Callable[..., Any]) -> Callable[..., Any]:
    return model.eval() if _is_module(model) else model  # type: ignore[attr-defined]


def _drawn(inputs: Any, wish: Wish, seed: int) -> Any:  # noqa: ANN401 - what the model takes
    """The user's own inputs, or random ones of the shapes that are asked for, or none."""
    if inputs is not None:
        return inputs(wish.batch or 1) if inspect.isroutine(inputs) else inputs
    if not wish.shapes:
        return ()
    from bench.specs._random_inputs import drawn

    named = {k: drawn(k, shape, "float32", seed) for k, shape in wish.shapes.items()}
    return named.get("", named)


def _version(module: ModuleType) -> str:
    """Hash of the file of the module: of what it imports nothing is known."""
    path = getattr(module, "__file__", None)
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()[:12] if path else ""
