"""A journal that uses every field of the schema, and what strangers may put into one."""

import copy
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any

from journals import DRAM, LOCKED, PACKAGE, PROCESS, Cost, a_case, a_journal, a_run, an_idle

from bench.meter import Reading
from bench.record import Begin, Discard, End, Note, Record, Window, to_json

SCHEMA = json.loads((files("bench") / "schema" / "journal-1.json").read_text(encoding="utf-8"))
Line = dict[str, Any]
Path_ = tuple[str | int, ...]
"""Where a value stands in a line: names and places."""

HOSTILE = (
    "<script>alert(1)</script><img src=x onerror=alert(2)></td></details> [x](javascript:alert(3))"
    " ![y](http://evil.example/z.png) | a | b |\n# loud\r\n\x1b[31mred\x1b]8;;http://evil\x07"
    "\u202egnp.exe\u2066\u2028\x00 \\input{/etc/passwd} $\\write18{id}$ %{}_^~&"
    " ``` ${{ github.token }} {{7*7}} @everyone \"'"
)
"""What would run, break a table, colour a terminal or turn a line round, all in one text."""
FORMULA = '=HYPERLINK("http://evil.example";"click")'
"""What a spreadsheet would run."""


def rich() -> list[Line]:
    """The lines of a sound journal in which every field of the schema stands."""
    quality = {
        "metric": "test accuracy", "value": 0.97, "target": 0.95, "n": 400,
        "values": [0.97, 0.971, 0.969], "seeds": [0, 1, 2], "others": {"SQNR, dB": 20.0},
    }  # fmt: skip
    layer = {
        "name": "fc", "kind": "Linear", "macs": 5000, "macs_nonzero": 2500, "weights": 5000,
        "weight_bits": 32, "activation_bits": 32, "weight_bytes": 20000, "inputs": 50,
        "outputs": 100, "activation_density": 0.5, "weight_density": 1.0,
    }  # fmt: skip
    more: dict[str, Any] = {
        "quality": quality, "baseline_quality": quality, "layers": (layer,),
        "kernels": {"float32": 2}, "memory_bytes": {"peak": 2**28, "before": 2**27},
        "bytes_moved": 4096, "nodeid": "suites/pruned.py::test_it", "note": "dense kernel",
        "device_id": "cpu", "size_bytes": {"disk": 2048, "nominal": 1024, "csr": 900},
    }  # fmt: skip
    both = {PACKAGE.id: 0.010, DRAM.id: 0.001, PROCESS.id: 0.002}
    pairs = [(Cost(both, 0.001 + d), Cost(both, 0.0005 + d)) for d in (0, 1e-6, 2e-6)]
    baseline, variant = a_case(**more), a_case("pruned", level={"density": "0.1"}, **more)
    swept = a_case("shared", level={"bits": "4"}, **{**more, "runtime": "judged"})
    machine = {**a_run().machine, "gpu": [{"name": "a GPU", "uuid": "GPU-1"}]}
    machine |= {"virtualised": "kvm", "governor": "powersave", "last_level_cache_bytes": 2**25}
    run = a_run(channels=(PACKAGE, DRAM, PROCESS), unusable=(LOCKED,), machine=machine)
    journal = a_journal([(baseline, pairs), (variant, pairs)], run=run, idle=[an_idle(5.0)])
    reading = Reading(PACKAGE.id, 0, 1, 1.0, reason="as it was read", t_device=1.0)
    first, *others = journal.windows
    windows: list[Window] = [
        first,
        replace(others[0], flags=("foreign load 0.30 CPU",), readings=(reading,)),
        *others[1:],
        replace(others[-1], role="training", order=99),
    ]
    records: list[Record] = [
        journal.run, Begin(baseline.case, "v1"), *windows, Discard(variant.case, 7, "too short"),
        baseline, variant, swept, Note("digits/other", "refused: no kernel; install one"),
        End("2026-11-23T10:15:00Z", 0, {"window": len(windows)}),
    ]  # fmt: skip
    return [json.loads(to_json(record)) for record in records]


def save_lines(lines: Sequence[Line], path: Path) -> Path:
    """Writes lines as a journal, whatever they hold."""
    text = "".join(f"{json.dumps(line)}\n" for line in lines)
    path.write_text(text, encoding="utf-8")
    return path


def leaves(value: object, path: Path_ = ()) -> Iterator[tuple[Path_, Any]]:
    """Every value of a line that holds no other."""
    if isinstance(value, dict) and value:
        for name, each in value.items():
            yield from leaves(each, (*path, name))
    elif isinstance(value, list) and value:
        for place, each in enumerate(value):
            yield from leaves(each, (*path, place))
    else:
        yield path, value


def changed(line: Line, path: Path_, value: object) -> Line:
    """A copy of a line with another value at a path."""
    found = copy.deepcopy(line)
    *above, last = path
    target: Any = found
    for step in above:
        target = target[step]
    target[last] = value
    return found


def free_texts() -> set[tuple[str, ...]]:
    """The record and path of each field in which the schema allows any text; ``*`` is any place."""
    names = [each["$ref"].rpartition("/")[2] for each in SCHEMA["oneOf"]]
    return {(name, *path) for name in names for path in _texts(SCHEMA["$defs"][name])}


def _texts(node: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    if "$ref" in node:
        yield from _texts(SCHEMA["$defs"][node["$ref"].rpartition("/")[2]])
    for each in node.get("anyOf", ()):
        yield from _texts(each)
    if node.get("type") == "string" and not {"enum", "const", "pattern"} & set(node):
        yield ()
    for name, each in node.get("properties", {}).items():
        yield from ((name, *path) for path in _texts(each))
    if isinstance(node.get("additionalProperties"), dict):
        yield from (("*", *path) for path in _texts(node["additionalProperties"]))
    for place, each in enumerate(node.get("prefixItems", ())):
        yield from ((str(place), *path) for path in _texts(each))
    if isinstance(node.get("items"), dict):
        yield from (("*", *path) for path in _texts(node["items"]))


_FREE_OBJECTS = {"level", "packages", "others", "counts", "kernels", "memory_bytes"}


def shape(line: Line, path: Path_) -> tuple[str, ...]:
    """A path as `free_texts` writes it."""
    steps = []
    for place, step in enumerate(path):
        inside = place > 0 and path[place - 1] in _FREE_OBJECTS
        listed = isinstance(step, int) and not (path[0] == "readings" and place == 2)
        steps.append("*" if listed or inside else str(step))
    return (str(line["record"]), *steps)


def with_texts(lines: Sequence[Line], change: Callable[[str], str], keep: set[str]) -> list[Line]:
    """The lines with each free text changed, the same text always to the same; some fields kept."""
    free = free_texts()
    found = []
    for line in lines:
        new = line
        for path, value in leaves(line):
            where = shape(line, path)
            known = where in free or where[1:2] == ("settings",)
            if known and isinstance(value, str) and not keep & set(where):
                new = changed(new, path, change(value))
        found.append(_renamed(new, change, keep))
    return found


def _renamed(line: Line, change: Callable[[str], str], keep: set[str]) -> Line:
    """The names in free objects changed as well, such as those of packages and parameters."""
    new = dict(line)
    for name in _FREE_OBJECTS & set(new) - keep:
        if isinstance(new[name], dict):
            new[name] = {change(key): value for key, value in new[name].items()}
    return new
