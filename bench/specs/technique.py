"""``technique:NAME@LEVEL``: what one that ships makes of the first spec's model."""

import ast

from bench.catalogue import compressed
from bench.own import Own, Wish


def load(what: str, wish: Wish) -> Own:
    """The variant, such as ``technique:precision@dtype=int8``.

    Raises:
        ValueError: It comes first, or there is no such technique or parameter.
        Refusal: It cannot be made here.
    """
    if wish.first is None:
        raise ValueError(f"technique:{what} is made of the first spec; give it to --vs")
    name, _, listed = what.partition("@")
    pairs = [pair.partition("=") for pair in listed.split(",") if pair]
    if any(not equals for _, equals, _ in pairs):
        raise ValueError(f"technique:{what}: write technique:NAME@PARAMETER=VALUE,…")
    level = {key: _value(text) for key, _, text in pairs}
    try:
        variant = compressed(name, wish.first, seed=wish.seed, **level)
    except TypeError as error:
        raise ValueError(f"technique:{what}: {error}") from error
    return Own(name=name, model=variant.model, note=wish.first.note, variant=variant)


def _value(text: str) -> object:
    """A number or a word.

    >>> _value("0.5"), _value("int8")
    (0.5, 'int8')
    """
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text
