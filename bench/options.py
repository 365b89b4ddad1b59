"""The plugin's options: their names, what they say, and the settings that they make."""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.run import Settings

HELP: Mapping[str, tuple[str, str]] = {
    "profile": ("quick", "How long and how often: quick, nightly or full. Default: quick."),
    "meters": ("", "Meters that must open, e.g. powercap,nvml. Default: all that can."),
    "device": ("cpu", "Where the models run: cpu or cuda:0. Default: cpu."),
    "require": ("", "'measured': refuse to start where no instrument can be read."),
    "results": ("results", "Where journals go; reports go beside it. Default: results."),
    "seed": ("0", "Orders the blocks and seeds the techniques. Default: 0."),
    "seeds": ("5", "Seeds over which quality is judged; 0 judges none. Default: 5."),
    "weights": (
        "random",
        "Of whole models: random, hub (downloads), or a checkpoint's path. Default: random.",
    ),
    "data": ("", "A folder of labelled data to judge quality by. Default: none."),
    "processes": ("0", "Fresh processes in which each side runs. Default: 0, in this one."),
    "alone": ("0", "Blocks of each case with nothing beside it, for joulebench gate. Default: 0."),
}
"""By name: the default, and the help."""


def settings(
    given: Callable[[str], str], *, folder: Path, resume: bool, raw: bool, command: str
) -> "Settings":
    """The settings that options make.

    Args:
        given: The text of an option by its name.
        folder: What the results' folder is relative to.
        resume: Go on with the newest journal.
        raw: Keep the raw readings.
        command: What the user typed.

    Raises:
        ValueError: An option says what it cannot.
    """
    from bench.run import Settings
    from bench.schedule import PROFILES
    from bench.workload import Sources

    profile, require = given("profile"), given("require")
    if profile not in PROFILES:
        raise ValueError(f"no profile is named {profile}; choose from {', '.join(PROFILES)}")
    if require not in {"", "measured"}:
        raise ValueError(f"--joules-require={require}: the only thing to require is 'measured'")
    meters = tuple(name.strip() for name in given("meters").split(",") if name.strip())
    seed = given("seed")
    if not seed.lstrip("-").isdigit():
        raise ValueError(f"--joules-seed={seed}: give a whole number")
    seeds = given("seeds")
    if not seeds.isdecimal():
        raise ValueError(f"--joules-seeds={seeds}: give a whole number; 0 judges no quality")
    alone, number = given("alone"), processes(given("processes"))
    if not alone.isdecimal():
        raise ValueError(f"--joules-alone={alone}: give a whole number of blocks")
    if int(alone) and number:
        raise ValueError(
            f"--joules-alone={alone} runs one side in this process; leave out --joules-processes"
        )
    return Settings(
        profile=profile,
        schedule=PROFILES[profile],
        meters=meters or None,
        device=given("device"),
        results=folder / given("results"),
        seed=int(seed),
        resume=resume,
        raw=raw,
        require_measured=require == "measured",
        command=command,
        processes=number,
        seeds=int(seeds),
        alone=int(alone),
        sources=Sources(given("weights"), given("data")),
    )


PROFILES = ("quick", "nightly", "full")
"""By length; a profile of a user's own counts as the shortest."""


def reaches(profile: str, least: str | None) -> bool:
    """Whether a session of *profile* runs what is marked for *least* and longer ones.

    Raises:
        ValueError: *least* is none of them.

    >>> reaches("quick", "full"), reaches("full", "nightly"), reaches("mine", None)
    (False, True, True)
    """
    if least is None:
        return True
    if least not in PROFILES:
        raise ValueError(f"profile is {least!r}, wanted one of {', '.join(PROFILES)}; choose one")
    return profile in PROFILES[PROFILES.index(least) :]


def processes(text: str, platform: str = sys.platform) -> int:
    """The number of fresh processes that an option asks for; 0 for none.

    Raises:
        ValueError: It is no number, one process only, or there are none on this system.

    >>> processes("6", "linux")
    6
    """
    if not text.isdecimal():
        raise ValueError(f"--joules-processes={text}: give a whole number, 2 or more")
    number = int(text)
    if number == 1:
        raise ValueError(
            "--joules-processes=1: one process shows no spread between processes; give 2 or more,"
            " or leave it out to measure in this one"
        )
    if number and platform != "linux":
        raise ValueError(
            f"--joules-processes={text}: found {platform}, wanted Linux, which tells the CPU time"
            " of a process that still runs; leave it out to measure in this process"
        )
    return number
