"""What one side of a case is: a variant as its runtime made it, and what it is called with."""

from dataclasses import dataclass
from typing import Any

from bench.catalogue import lowered, prepare
from bench.workload import Case, Loop, Variant, baseline_of


@dataclass(frozen=True, slots=True)
class Subject:
    """What is measured: a variant as its runtime made it, its case, and what it is called with."""

    variant: Variant
    case: Case
    inputs: Any

    def baseline(self) -> "Subject":
        """The workload as shipped, in the runtime that the variant is held against."""
        case, shipped = self.case.baseline, baseline_of(self.variant.workload)
        made = lowered(shipped, self.inputs, case.runtime, case.device)
        return Subject(made, case, self.inputs)

    def loop(self) -> Loop:
        """Runs it."""
        return prepare(self.variant, self.inputs, self.case.runtime, self.case.device)
