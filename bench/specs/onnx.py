"""``onnx:FILE``: a model as an ONNX file, in ONNX Runtime unless another runtime is asked for."""

import functools
import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.onnx_file import OnnxFile, OnnxInput
from bench.own import Own, Wish
from bench.refusal import Refusal


def load(what: str, wish: Wish) -> Own:
    """The model with random inputs of its own shapes.

    Raises:
        ValueError: There is no such file, or a shape is given for an input that it has not.
        Refusal: It cannot be read, or its shapes are not known or not those that are asked for.
    """
    path = Path(what)
    if not path.is_file():
        raise ValueError(f"onnx:{what}: there is no such file; give the path of an ONNX file")
    file = OnnxFile(path)
    inputs = file.inputs()
    own = Own(
        name=f"onnx:{path.stem}",
        model=file,
        runtime="onnxruntime",
        version=hashlib.sha256(path.read_bytes()).hexdigest()[:12],
    )
    if wish.first is not None:  # it is called with the inputs of the first
        return own
    names = [each.name for each in inputs]
    if unknown := set(wish.shapes) - {*names, ""}:
        raise ValueError(f"--shape {min(unknown)}=…: the inputs of {path.name} are {names}")
    if "" in wish.shapes and len(names) > 1:
        raise ValueError(f"--shape without a name: {path.name} has the inputs {names}; name one")
    sized = {each: shape_of(each, wish) for each in inputs}
    first = next(iter(sized.values()), ())
    draw = functools.partial(_drawn, sized)
    return replace(own, draw=draw, samples=first[0] if first else 1)


def shape_of(taken: OnnxInput, wish: Wish) -> tuple[int, ...]:
    """The shape of an input: as given, or its own with the batch in the first place.

    Raises:
        Refusal: It has another shape than the given one, or one that is not known.
    """
    own = f"({', '.join(map(str, taken.shape))})"
    sizes = (str(each) if isinstance(each, int) else "N" for each in taken.shape)
    option = f"--shape {taken.name}={'x'.join(sizes)}"
    given = wish.shapes.get(taken.name) or wish.shapes.get("")
    if given is None:
        batch = wish.batch or 1
        free = taken.shape and not isinstance(taken.shape[0], int)
        wanted = (batch, *taken.shape[1:]) if free else taken.shape
        if wish.batch and wanted and wanted[0] != wish.batch:
            raise Refusal(
                f"its input {taken.name} has the fixed shape {own}, wanted batch {wish.batch}",
                "leave out --batch, or export it with a free batch",
            )
        given = tuple(size for size in wanted if isinstance(size, int))
        if len(given) < len(wanted):
            raise Refusal(f"its input {taken.name} has the free shape {own}", f"give {option}")
    fits = len(given) == len(taken.shape) and all(
        not isinstance(size, int) or size == asked
        for size, asked in zip(taken.shape, given, strict=True)
    )
    if not fits:
        raise Refusal(
            f"its input {taken.name} has the shape {own}, found {'x'.join(map(str, given))}",
            f"give {option}",
        )
    return given


def _drawn(sized: dict[OnnxInput, tuple[int, ...]], seed: int) -> Any:  # noqa: ANN401 - one or many
    """A tensor, or a tuple of them if there are several."""
    from bench.specs._random_inputs import drawn

    found = tuple(drawn(each.name, shape, each.dtype, seed) for each, shape in sized.items())
    return found[0] if len(found) == 1 else found
