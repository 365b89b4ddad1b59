"""After a night: `git bisect` on the cases that became dearer, so that their alerts name a commit.

The night has said that a case is dearer, by pairs of both its stages: here it is not asked again,
only the commits between are measured.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from bench import records
from bench.gate import process
from bench.gate.alert import blocks
from bench.gate.answer import ENERGY, Decision, Night, Word
from bench.gate.bisected import FOLDER, Bisected, bisected
from bench.gate.bisection import GitBisection
from bench.gate.case_pairs import CasePairs
from bench.gate.collect import Start
from bench.gate.evidence import Evidence
from bench.gate.guilt import step_line
from bench.gate.halving import search
from bench.gate.repository import Repository
from bench.gate.turns import unused


def new_folder(results: Path) -> Path:
    """Where the journals of a bisection go; it does not exist yet."""
    stamp = records.now().replace("-", "").replace(":", "")
    place = results / FOLDER / stamp
    return place if not place.exists() else unused(place)


@dataclass(frozen=True, slots=True)
class Inquiry:
    """How the guilty commits of a night are looked for.

    Args:
        here: Folder in the repository where pytest is called.
        results: Folder of all results.
        most: Most cases; the dearest come first.
        build: Installs a revision; empty for what its files ask for.
        say: Is told what goes on.
        start: Runs pytest in a side.
    """

    here: Path
    results: Path
    most: int
    build: str = ""
    say: Callable[[str], None] = lambda _: None
    start: Start = process.start

    def of(self, night: Night, found: Evidence) -> None:
        """Looks for the guilty commit of each case, and writes what it finds into the results.

        Nothing is looked for in a night that cannot be trusted, and where the head has changes
        that no commit has.
        """
        if night.untrusted or not self.most:
            return
        if found.state.head.dirty:
            self.say("no bisection: HEAD has changes that are not committed")
            return
        for decision in list(_dearer(night))[: self.most]:
            try:
                self._of_case(decision, found)
            except ValueError as error:
                self.say(f"no bisection of {decision.series.case}: {error}")

    def _of_case(self, decision: Decision, found: Evidence) -> None:
        case, ratio = decision.series.case, decision.ratio
        sides = found.others.get(case, found).state
        good, bad = sides.base.revision, sides.head.revision
        if ratio is None or bisected(case, good, bad, self.results):
            return
        if not (test := found.argument_of(case)):
            raise ValueError("found no test that measures it")
        repository, folder = Repository(self.here), new_folder(self.results)
        measure = CasePairs(
            case,
            test,
            self.here,
            folder,
            self.build,
            found.state.options,
            self.say,
            self.start,
        )
        pairs, whole = found.state.rule.pairs, (decision.series.quantity, ratio)
        with GitBisection(repository, good, bad) as bisection:
            number = repository.count(good, bad)
            self.say(f"bisecting {case}: {number} commits between {good[:9]} and {bad[:9]}")
            said = search(
                measure,
                bisection,
                good,
                whole,
                pairs=pairs,
                told=lambda step: self.say(step_line(step)),
            )
        Bisected.of(said, case, good, bad).write(folder)


def _dearer(night: Night) -> Iterator[Decision]:
    """Of each case that regressed one decision, that of its energy if it did; the dearest first."""
    regressed = night.having(Word.REGRESSED)
    for case in blocks(night, {}):
        own = [each for each in regressed if each.series.case == case]
        own.sort(key=lambda each: each.series.quantity != ENERGY)
        yield from own[:1]
