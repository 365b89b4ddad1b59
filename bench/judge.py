"""Judges the quality of variants, over several seeds where a variant can be made again.

One seed's accuracy on some hundred images says little: two seeds of one method differ as much as
two methods. So each variant is made from further seeds too, its workload's model with it, and the
record holds the quality of every one. What other seeds gave is kept between sessions: it depends
on the code, the libraries and the processor alone, and all of these are in its key.
"""

import contextlib
import dataclasses
import functools
import hashlib
import json
import os
import tempfile
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from bench import machine
from bench.seed_workers import SeedWorkers
from bench.workload import BASELINE, NotComparableError, Quality, Variant
from bench.workloads._weights_cache import cache_folder

_PACKAGE = Path(__file__).parent
_FOLDERS = ("techniques", "workloads")
_LIBRARIES = ("torch", "numpy", "scikit-learn", "torch-pruning")


@dataclass
class Judge:
    """Judges each variant once in a session: its quality does not depend on the batch.

    Args:
        seed: That of the session, from which its variants are made.
        seeds: How many, this one included; 0 judges nothing.
        workers: Make variants of the other seeds.
    """

    seed: int = 0
    seeds: int = 1
    workers: SeedWorkers = field(default_factory=SeedWorkers)
    _judged: list[tuple[Callable[[], object], str, Quality]] = field(default_factory=list)

    def __call__(
        self, variant: Variant, progress: Callable[[str], None] = lambda _: None
    ) -> Quality | None:
        """A variant's quality; None if its workload has nothing to judge it by, or nobody asks."""
        if variant.workload.quality is None or self.seeds < 1:
            return None
        for model, workload, quality in self._judged:
            if model() is variant.model and workload == variant.workload.name:
                return quality
        try:
            quality = variant.workload.quality(variant.model)
        except NotComparableError:
            return None
        if variant.again is not None and self.seeds > 1:
            seeds = range(self.seed, self.seed + self.seeds)
            progress(f"{variant.workload.name}/{variant.label}  quality of {len(seeds)} seeds")
            quality = mean([quality, *self._others(variant, variant.again, seeds[1:])], seeds)
        self._judged.append((_reference(variant.model), variant.workload.name, quality))
        return quality

    def _others(
        self, variant: Variant, again: Callable[[int], Variant], seeds: Sequence[int]
    ) -> list[Quality]:
        """The qualities of further seeds, from the cache where they are there."""
        paths = {seed: _path(variant, seed) for seed in seeds}
        found = {seed: kept for seed in seeds if (kept := _kept(paths[seed])) is not None}
        missing = [seed for seed in seeds if seed not in found]
        for seed, quality in zip(missing, self.workers.qualities(again, missing), strict=True):
            found[seed] = quality
            _keep(paths[seed], quality)
        return [found[seed] for seed in seeds]

    def close(self) -> None:
        """Ends the processes that made variants of other seeds."""
        self.workers.close()


def _reference(model: object) -> Callable[[], object]:
    """Gives a model for as long as somebody else keeps it: compiled ones fill the memory."""
    try:
        return weakref.ref(model)
    except TypeError:  # it cannot be referred to weakly
        return lambda: model


def mean(qualities: Sequence[Quality], seeds: Sequence[int]) -> Quality:
    """What several seeds gave as one quality: means of value and target, and each value.

    >>> one, two = Quality("accuracy", 0.5, 10, 0.25), Quality("accuracy", 1.0, 10, 0.75)
    >>> mean([one, two], [0, 1])
    Quality(metric='accuracy', value=0.75, n=10, target=0.5, values=(0.5, 1.0), seeds=(0, 1))
    """
    values = tuple(quality.value for quality in qualities)
    targets = [quality.target for quality in qualities if quality.target is not None]
    return dataclasses.replace(
        qualities[0],
        value=sum(values) / len(values),
        target=sum(targets) / len(targets) if targets else None,
        values=values,
        seeds=tuple(seeds),
    )


def _kept(path: Path | None) -> Quality | None:
    """The quality that is kept at a path; None if there is none that can be read."""
    if path is not None:
        with contextlib.suppress(OSError, ValueError, TypeError):
            return Quality(**json.loads(path.read_text(encoding="utf-8")))
    return None


def _keep(path: Path | None, quality: Quality) -> None:
    if path is None:
        return
    fields = {name: getattr(quality, name) for name in ("metric", "value", "n", "target")}
    with contextlib.suppress(OSError):  # a full or read-only disk costs a training, no more
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False) as file:
            json.dump(fields, file)
        Path(file.name).replace(path)


def _path(variant: Variant, seed: int) -> Path | None:
    """Where a quality is kept; None for what is made by code of others, which may change."""
    parts = (variant.workload.name.partition(":")[0], variant.technique)
    ours = [
        (_PACKAGE / folder / f"{name.replace('-', '_')}.py").is_file()
        for folder, name in zip(reversed(_FOLDERS), parts, strict=True)
        if name != BASELINE
    ]
    if not all(ours):
        return None
    facts = [variant.workload.name, variant.label, seed, machine.fingerprint().cpu]
    key = json.dumps([*facts, _made_by()], sort_keys=True)
    return cache_folder() / "quality" / f"{hashlib.sha256(key.encode()).hexdigest()[:24]}.json"


@functools.cache
def _made_by() -> tuple[str, ...]:
    """Digests of the code that makes models, and the versions of what it calls.

    All of the package counts: techniques reach into much of it.
    """
    digest = hashlib.sha256()
    for path in sorted(_PACKAGE.rglob("*")):
        if path.suffix in {".py", ".c", ".csv"}:
            digest.update(path.read_bytes())
    found = [digest.hexdigest(), os.environ.get("ATEN_CPU_CAPABILITY", "")]
    for name in _LIBRARIES:
        with contextlib.suppress(PackageNotFoundError):
            found.append(f"{name} {version(name)}")
    return tuple(found)
