"""``workload:NAME``: one that ships, such as ``workload:resnet18``, with its quality and inputs."""

from bench.catalogue import make_workload
from bench.own import Own, Wish


def load(what: str, wish: Wish) -> Own:
    """The workload, from the seed and the weights that are asked for.

    Raises:
        ValueError: No workload has that name.
        Refusal: It cannot be had here.
    """
    workload = make_workload(what, wish.seed, wish.sources)
    return Own(
        name=what,
        model=workload.model,
        samples=wish.batch or 1,
        unit=workload.unit,
        version=workload.version,
        note=workload.note,
        workload=workload,
    )
