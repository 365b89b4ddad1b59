"""Journals of which every string that anyone may choose tries to run something."""

from dataclasses import replace
from typing import Any

from journals import MACHINE, PACKAGE, PROCESS, SETTINGS, a_case, a_journal

from bench.meter import Status, Unusable
from bench.quantities import Kind
from bench.record import Discard, Note, Run, Window
from bench.records import Journal
from bench.window import ChannelEnergy
from reports import HALF, SAME

PWNED = "window.__pwned=1"
ATTACKS = (
    f"<script>{PWNED}</script>",
    f'"><img src=x onerror="{PWNED}">',
    f"[a](javascript:{PWNED}) ![b](https://example.org/b.png)",
    f"</summary></details></script><svg onload={PWNED}>",
    "\\end{table}\\input{/etc/passwd} 5 % & $x_1$ # ~ ^ --- `a` | b\n# heading",
    "<iframe srcdoc='<script>parent.__pwned=1</script>'></iframe> $policy ${style} {0}",
)


def hostile(text: str) -> Journal:
    """A journal with *text* in every string."""
    channel = replace(PACKAGE, origin=text, boundary=text, note=text)
    guess = replace(PROCESS, id=text, boundary=text, origin=text, note=text)
    machine = {name: text for name in MACHINE if name not in ("gpu", "memory_bytes")}
    run = Run(
        text, text, text, {**SETTINGS, "profile": text, text: text}, 0,
        {"commit": text, "dirty": True},
        {**machine, "gpu": [{"name": text, "uuid": text}], "memory_bytes": 1},
        {text: text}, (channel, guess), (Unusable(text, Status.PERMISSION, text, text),),
    )  # fmt: skip
    judged = {"metric": text, "value": 0.97, "target": 0.95, "n": 10}
    strings: dict[str, Any] = {
        "level": {text: text}, "runtime": text, "workload": text, "unit": text, "note": text,
        "device": text, "device_id": text, "quality": judged, "baseline_quality": judged,
    }  # fmt: skip
    cases = [(a_case(**strings), SAME), (a_case(text, **strings), HALF)]
    name = f"{text.replace('/', '').partition(chr(10))[0]}.jsonl"
    journal = a_journal(
        cases, run=run, discards=[Discard(text, 0, text)], notes=[Note(text, text)], path=name
    )
    return replace(journal, windows=tuple(_hostile(window, text) for window in journal.windows))


def _hostile(window: Window, text: str) -> Window:
    guess = ChannelEnergy(text, 1.0, 0.5, 2.0, Kind.ESTIMATED, text, Status.OK)
    energy = (*(replace(each, boundary=text, reason=text) for each in window.energy), guess)
    return replace(window, energy=energy, flags=(text,))
