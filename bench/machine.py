"""What this machine is, and what else it is doing: read only, nothing is ever changed.

Standard library and files of the kernel only, so that every command can say where it ran.
The fingerprint holds no host name, user or place; the machine id is a hash.
"""

import hashlib
import importlib.metadata
import os
import platform
import re
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Gpu:
    """An NVIDIA GPU as its kernel driver names it, whether or not NVML works."""

    name: str
    uuid: str


@dataclass(frozen=True, slots=True)
class Machine:
    """The fingerprint of a machine: two results compare only if its id is equal.

    Args:
        id: Hash over the operating system's machine id, the CPU, its count and the memory.
        cpu: Model name.
        vendor: CPU vendor, such as ``GenuineIntel`` or ``AuthenticAMD``.
        cpus: Logical CPUs that this process may run on.
        memory_bytes: Physical memory, or None if unknown.
        gpu: NVIDIA GPUs.
        kernel: Operating system and kernel release.
        virtualised: Hypervisor's name, ``container``, or None on bare metal.
        governor: CPU frequency governor, or None if there is none to see.
        turbo: Whether turbo is on, or None if unknown.
        python: Interpreter version.
        last_level_cache_bytes: Of the first CPU's largest cache, as the kernel says, or None.
        microcode: Revision of the CPU's microcode, or None.
        gpu_driver: Version of NVIDIA's kernel driver, or None.
    """

    id: str
    cpu: str
    vendor: str
    cpus: int
    memory_bytes: int | None
    gpu: tuple[Gpu, ...]
    kernel: str
    virtualised: str | None
    governor: str | None
    turbo: bool | None
    python: str
    last_level_cache_bytes: int | None = None
    microcode: str | None = None
    gpu_driver: str | None = None


def fingerprint(root: Path = Path("/")) -> Machine:
    """The fingerprint of the machine whose file system starts at *root* (tests give their own)."""
    info = _cpuinfo(root)
    cpu = info.get("model name") or info.get("Model") or platform.processor() or "unknown CPU"
    cpus = os.process_cpu_count() if hasattr(os, "process_cpu_count") else _affinity()
    memory = _memory(root)
    identity = _text(root / "etc/machine-id") or ""
    digest = hashlib.sha256(f"{identity}|{cpu}|{cpus}|{memory}".encode()).hexdigest()
    return Machine(
        id=digest[:12],
        cpu=cpu,
        vendor=info.get("vendor_id", "unknown"),
        cpus=cpus or 1,
        memory_bytes=memory,
        gpu=_gpus(root),
        kernel=f"{platform.system()} {platform.release()}",
        virtualised=_virtualised(root, info),
        governor=_text(root / "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        turbo=_turbo(root),
        python=platform.python_version(),
        last_level_cache_bytes=last_level_cache(root),
        microcode=info.get("microcode"),
        gpu_driver=_gpu_driver(root),
    )


def last_level_cache(root: Path = Path("/")) -> int | None:
    """Bytes of the largest cache of the first CPU, shared or not; None if the kernel is silent."""
    sizes = (_text(path) for path in root.glob("sys/devices/system/cpu/cpu0/cache/index*/size"))
    kib = [int(size[:-1]) for size in sizes if size and size.endswith("K") and size[:-1].isdigit()]
    return 1024 * max(kib) if kib else None


def _affinity() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip("\0 \n") or None
    except OSError:
        return None


def _cpuinfo(root: Path) -> dict[str, str]:
    fields: dict[str, str] = {}
    for line in (_text(root / "proc/cpuinfo") or "").splitlines():
        name, colon, value = line.partition(":")
        if colon:
            fields.setdefault(name.strip(), value.strip())
    return fields


def _memory(root: Path) -> int | None:
    for line in (_text(root / "proc/meminfo") or "").splitlines():
        if line.startswith("MemTotal:"):
            return int(line.split()[1]) * 1024
    return None


def _gpus(root: Path) -> tuple[Gpu, ...]:
    found = []
    for path in sorted((root / "proc/driver/nvidia/gpus").glob("*/information")):
        fields: dict[str, str] = {}
        for line in (_text(path) or "").splitlines():
            name, _, value = line.partition(":")
            fields[name.strip()] = value.strip()
        found.append(Gpu(fields.get("Model", "NVIDIA GPU"), fields.get("GPU UUID", "")))
    return tuple(found)


def _gpu_driver(root: Path) -> str | None:
    """The version in a line such as ``NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.1.2``."""
    text = _text(root / "proc/driver/nvidia/version") or ""
    found = re.search(r"Kernel Module.*? (\d+\.\d+(?:\.\d+)*)", text)
    return found[1] if found else None


def _virtualised(root: Path, info: dict[str, str]) -> str | None:
    if "hypervisor" in info.get("flags", "").split():
        vendor = _text(root / "sys/class/dmi/id/sys_vendor")
        return f"virtual machine ({vendor})" if vendor else "virtual machine"
    if (root / ".dockerenv").exists() or (root / "run/.containerenv").exists():
        return "container"
    return None


def _turbo(root: Path) -> bool | None:
    intel = _text(root / "sys/devices/system/cpu/intel_pstate/no_turbo")
    if intel is not None:
        return intel == "0"
    boost = _text(root / "sys/devices/system/cpu/cpufreq/boost")
    return None if boost is None else boost == "1"


@dataclass(frozen=True, slots=True)
class GitState:
    """The revision that was measured."""

    commit: str
    dirty: bool


def git_state(folder: Path) -> GitState | None:
    """The revision checked out in *folder*, or None outside a repository."""
    try:
        commit = _git(folder, "rev-parse", "HEAD")
        dirty = bool(_git(folder, "status", "--porcelain", "--untracked-files=no"))
    except (OSError, subprocess.SubprocessError):
        return None
    return GitState(commit, dirty)


def _git(folder: Path, *arguments: str) -> str:
    command = ("git", "-C", str(folder), *arguments)
    done = subprocess.run(  # noqa: S603 - the arguments are ours
        command, capture_output=True, text=True, check=True, timeout=10
    )
    return done.stdout.strip()


def versions(distributions: Iterable[str]) -> dict[str, str]:
    """The installed version of each distribution; those that are not installed are left out."""
    found = {}
    for name in distributions:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
