"""Pairs of fresh processes of one case, for a search through revisions."""

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.gate import process
from bench.gate.answer import Pair, Quantity
from bench.gate.checkout import checkout
from bench.gate.collect import CannotMeasureError, Start
from bench.gate.decide import Rule
from bench.gate.environment import BuildError
from bench.gate.halving import SkippedError
from bench.gate.night import Order, run_night
from bench.gate.plan import Plan
from bench.gate.repository import GitError

_NO_CANDIDATES = 1e-12
"""Below what a p value can be: more pairs are the search's own to ask for."""


@dataclass
class CasePairs:
    """Measures pairs of one case; each call is a small night of its own, whose journals are kept.

    Args:
        case: Its id.
        test: The test that measures it, as pytest takes it.
        here: Folder in the repository where pytest is called.
        folder: For the journals.
        build: Installs a revision; empty for what its files ask for.
        options: More arguments of pytest.
        say: Is told what goes on.
        start: Runs pytest in a side.
    """

    case: str
    test: str
    here: Path
    folder: Path
    build: str = ""
    options: tuple[str, ...] = ()
    say: Callable[[str], None] = lambda _: None
    start: Start = process.start
    calls: int = field(default=0, init=False)
    seconds: list[float] = field(default_factory=list, init=False)

    def __call__(self, base: str, head: str, pairs: int) -> Mapping[Quantity, Sequence[Pair]]:
        """The values of so many new pairs of two revisions, by quantity.

        Raises:
            SkippedError: One of them does not build, or has not the case.
        """
        self.calls += 1
        try:
            one, other = (
                checkout(self.here, each, build=self.build, say=self.say) for each in (base, head)
            )
            found = run_night(
                one,
                other,
                Order(
                    (self.test, *self.options),
                    Rule(pairs, first=_NO_CANDIDATES),
                    Plan(canaries=0, seed=self.calls),
                ),
                folder=self.folder / f"{self.calls:02d}-{head[:9]}",
                start=self.start,
            )
        except (BuildError, CannotMeasureError, GitError) as error:
            raise SkippedError(_short(str(error))) from error
        self.seconds += found.state.done.values()
        own = [each for each in found.series if each.case == self.case]
        values = {each.quantity: each.pairs for each in own if each.pairs and not each.absent}
        if not values:
            why = next((each.absent for each in (*own, *found.series) if each.absent), "")
            raise SkippedError(_short(f"it does not measure {self.case}. {why}"))
        return values

    @property
    def seconds_per_process(self) -> float:
        """What a process took so far, s."""
        return statistics.median(self.seconds) if self.seconds else 0.0


def _short(text: str) -> str:
    """The first line of what went wrong, and its last, which says why."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[0] if len(lines) == 1 else f"{lines[0]} … {lines[-1]}"
