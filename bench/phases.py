"""Phases of a test, measured as they come: ``with joules.window("decode", work=64):``.

A phase that a test runs once cannot be repeated or paired by us: it is a row of its own, without a
ratio and without a verdict. Several windows of one name are one row, with their spread.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from bench.block import Place, open_window
from bench.device import device_id
from bench.record import CaseRecord, Window
from bench.session import Session
from bench.workload import PHASE, Case

ROLE = "baseline"
"""Of their windows: a phase stands beside nothing but itself."""


@dataclass
class Phases:
    """The phases of one test.

    Args:
        nodeid: The test.
        device: Where it runs.
        session: The open session; None measures nothing.
    """

    nodeid: str
    device: str
    session: Session | None
    _found: dict[str, list[Window]] = field(default_factory=dict)
    _records: dict[str, CaseRecord] = field(default_factory=dict)

    @contextlib.contextmanager
    def window(self, name: str, *, work: int, unit: str) -> Iterator[None]:
        """One window of the phase *name*: what runs inside is one call.

        It is in the journal as soon as it ends. What runs inside and waits for a device must have
        done so before the end.

        Args:
            name: Of the phase.
            work: Samples in it, such as tokens.
            unit: What one sample is.

        Raises:
            ValueError: There is no work, or another one than in the windows before it.
            CaseError: The session has measured this phase already.
        """
        if work < 1:
            raise ValueError(f"joules.window({name!r}, work={work}): wanted 1 sample or more")
        case = Case(f"{self.nodeid}:{name}", PHASE, "python", self.device, work).id
        if self.session is None or self.session.ledger.has_from_before(case):
            yield
            return
        if name not in self._records:
            self._records[name] = self._begun(self.session, case, work, unit)
            self._found[name] = []
        if (before := self._records[name].batch) != work:
            raise ValueError(
                f"joules.window({name!r}, work={work}): found work={before} in the windows before;"
                " give phases of another length another name"
            )
        order = len(self._found[name])
        place = Place(case, ROLE, order, order)
        instruments = self.session.instruments
        with open_window(instruments, place, calls=1, samples=work) as stretch:
            began_ns = instruments.clock()
            yield
            stretch.latencies = ((instruments.clock() - began_ns) / 1e9,)
        if stretch.window is not None:
            self._found[name].append(stretch.window)
            self.session.ledger.append(stretch.window)

    def _begun(self, session: Session, case: str, work: int, unit: str) -> CaseRecord:
        record = CaseRecord(
            case=case,
            workload=case.partition("/")[0],
            technique=PHASE,
            level={},
            runtime="python",
            device=self.device,
            batch=work,
            threads=1,
            dtype=None,
            baseline=case,
            quality=None,
            baseline_quality=None,
            size_bytes={"disk": None, "nominal": None},
            parameters=None,
            nonzero=None,
            macs=None,
            workload_version="",
            unit=unit,
            device_id=device_id(self.device),
            nodeid=self.nodeid,
        )
        session.begin(record)
        return record

    def close(self) -> None:
        """Ends the phases: their records make the windows count."""
        for name, record in self._records.items():
            if self.session is not None and self._found[name]:
                self.session.add(record, self._found[name])
        self._records.clear()
