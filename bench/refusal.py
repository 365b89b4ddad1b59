"""What cannot be run here as asked: one row says why, and all other cases go on."""


class Refusal(RuntimeError):  # noqa: N818 - it is an answer, not a fault
    """A case cannot be run here as asked.

    Args:
        why: What was found, and what was wanted.
        fix: What to do about it, such as ``pip install joulebench[openvino]``.
    """

    def __init__(self, why: str, fix: str) -> None:
        super().__init__(why, fix)
        self.why = why
        self.fix = fix

    def __str__(self) -> str:
        return f"{self.why}; {self.fix}"


class Unfit(Refusal, TypeError):  # noqa: N818 - as above
    """A technique cannot work on this kind of model; an error of type to who calls it himself."""


def installed(library: str, extra: str) -> None:
    """Refuses where a library of an extra is not installed; it is not imported to see.

    Raises:
        Refusal: It is not there.
    """
    import importlib.util

    if importlib.util.find_spec(library) is None:
        raise Refusal(f"{library} is not installed", f"pip install 'joulebench[{extra}]'")


def for_memory(error: BaseException) -> Refusal | None:
    """The refusal that stands for an error of memory, of the host's or a GPU's; None for others."""
    told = str(error)
    if isinstance(error, MemoryError) or any(words in told for words in _NO_MEMORY):
        first = told.splitlines()[0] if told else type(error).__name__
        return Refusal(
            f"there is not enough memory: {first}",
            "take a smaller batch or model, or a machine with more memory",
        )
    return None


_NO_MEMORY = ("out of memory", "can't allocate memory", "not enough memory", "bad allocation")
