"""What the kernel says about the processor: maker, model, sockets, and whether it is virtual."""

import re
from dataclasses import dataclass
from pathlib import Path

AMD_VENDORS = frozenset({"AuthenticAMD", "HygonGenuine"})


@dataclass(frozen=True, slots=True)
class Cpu:
    """The processor of a machine.

    Args:
        vendor: Such as ``GenuineIntel``; empty where the kernel does not say (Arm).
        model: Brand name; empty where the kernel does not say.
        sockets: Number of processors in sockets, at least 1.
        threads: Number of logical CPUs that the kernel lists, at least 1.
        threads_per_core: Logical CPUs that share a core; 1 where the kernel does not say.
        virtual: Whether a hypervisor says that it is there.
    """

    vendor: str = ""
    model: str = ""
    sockets: int = 1
    threads: int = 1
    threads_per_core: float = 1.0
    virtual: bool = False


def read_cpu(text: str) -> Cpu:
    r"""The processor as the text of ``/proc/cpuinfo`` describes it.

    >>> cpu = read_cpu("processor\t: 0\nvendor_id\t: GenuineIntel\nflags\t: fpu hypervisor\n")
    >>> cpu.vendor, cpu.virtual
    ('GenuineIntel', True)
    """

    def values(key: str) -> list[str]:
        return re.findall(rf"^{key}[ \t]*:[ \t]*(.*)$", text, re.MULTILINE)

    sockets = max(1, len(set(values("physical id"))))
    threads = max(1, len(values("processor")))
    cores = [int(text) for text in values("cpu cores") if text.isdecimal()]
    return Cpu(
        vendor=next(iter(values("vendor_id")), ""),
        model=next(iter(values("model name")), ""),
        sockets=sockets,
        threads=threads,
        threads_per_core=max(1.0, threads / (sockets * max(cores))) if any(cores) else 1.0,
        virtual=any("hypervisor" in flags.split() for flags in values("flags")),
    )


def this_cpu(path: Path = Path("/proc/cpuinfo")) -> Cpu:
    """The processor of this machine; an empty description where the kernel gives none."""
    try:
        return read_cpu(path.read_text(encoding="utf-8", errors="replace"))
    except OSError:
        return Cpu()
