"""Where a page's numbers come from, again from the run record of the journal; see `recompute`."""

import re
from collections.abc import Mapping
from typing import Any

from page_pieces import LineCheck, Place, RowCheck
from page_text import same
from recompute import Told
from shown_numbers import PREFIX, number, significant

SIZES = {"B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}


def is_simulated(told: Told) -> bool:
    return any(case["runtime"] == "simulated" for case in told.cases.values()) or any(
        channel["origin"].startswith("simulated:") for channel in told.run["channels"]
    )


def fact(place: Place, cells: Mapping[str, str]) -> bool:
    told = place.source.told
    name, shown = cells["what"], cells["value"]
    if place.fold != f"Provenance · run {told.run['run_id']}":
        return False
    if name == "memory":
        return _size(shown, told.run["machine"].get("memory_bytes"))
    return same(shown, _facts(told)[name])


def _facts(told: Told) -> dict[str, object]:
    run, machine = told.run, told.run["machine"]
    git, turbo = run["git"], machine.get("turbo")
    changed = " with uncommitted changes" if git and git["dirty"] else ""
    simulated = "simulated; the machine named here did nothing but simulate it"
    return {
        "run": run["run_id"],
        "journal": told.name,
        "started": run["started"],
        "finished": told.end["finished"] if told.end else "cut off: no end record",
        "command": run["command"],
        "device": simulated if is_simulated(told) else None,
        "machine": machine["id"],
        "CPU": f"{machine['cpu']} ({machine['cpus']} logical CPUs)",
        "GPU": ", ".join(gpu["name"] for gpu in machine.get("gpu") or ()) or "none",
        "kernel": machine["kernel"],
        "virtualised": machine.get("virtualised") or "no sign of it",
        "governor": machine.get("governor") or "unknown",
        "turbo": {None: "unknown", True: "on", False: "off"}[turbo],
        "Python": machine["python"],
        "git": f"{git['commit']}{changed}" if git else "not a repository",
        "seed": run["seed"],
        "settings": _fields(run["settings"]),
        "packages": _fields(run["packages"]),
    }


def _fields(fields: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {'-' if value is None else value}" for name, value in fields.items())


def _size(shown: str, found: int | None) -> bool:
    if not found:
        return shown == "unknown"
    value, _, unit = shown.partition(" ")
    return 1 <= found / SIZES[unit] < 1024 and significant(value, found / SIZES[unit])


def channel(place: Place, cells: Mapping[str, str]) -> bool:
    named = [
        each for each in place.source.told.run["channels"] if same(cells["channel"], each["id"])
    ]
    if len(named) != 1 or not place.fold.startswith("Provenance"):
        return False
    found = named[0]
    texts = all(same(cells[name], found[name]) for name in ("kind", "boundary", "origin"))
    return (
        texts
        and scaled(cells["update interval"], found["update_interval_s"], "s")
        and scaled(cells["resolution"], found["resolution"], found["unit"])
    )


def scaled(shown: str, value: float, unit: str) -> bool:
    """Three digits in a unit that leaves the value between 1 and 1000."""
    if not value:
        return shown == "none"
    told = re.fullmatch(rf"(\S+) ([kmµn]?){unit}", shown)
    if not told:
        return False
    size = value / PREFIX[told[2]]
    return 1 <= size < 1000 and number(told[1]) >= 1 and significant(told[1], size)


def unusable(place: Place, cells: Mapping[str, str]) -> bool:
    names = {"not usable": "what", "status": "status", "reason": "reason", "fix": "fix"}
    return any(
        all(same(cells[shown], each[name] or "—") for shown, name in names.items())
        for each in place.source.told.run["unusable"]
    )


def summary(place: Place, found: re.Match[str]) -> bool:
    return same(found["run"], place.source.told.run["run_id"])


ROWS: Mapping[str, RowCheck] = {
    r"what \| value": fact,
    r"channel \| kind \| boundary \| update interval \| resolution \| origin": channel,
    r"not usable \| status \| reason \| fix": unusable,
}
LINES: Mapping[str, LineCheck] = {r"<summary>Provenance · run (?P<run>\S+)</summary>": summary}
