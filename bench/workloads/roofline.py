"""What this machine can do at most: bytes copied, and multiplications, with nothing around them."""

import hashlib
import os
import re
from pathlib import Path
from typing import Any

from bench.machine import last_level_cache
from bench.workload import Workload

DRAM_BYTES = 2**30
"""Of each of the two buffers of ``copy-dram``."""

PART_BYTES = 2**23
"""What a call of ``copy-dram`` copies: a call that takes a millisecond is seldom interrupted."""

CACHE_BYTES = 2**18
"""Of each of the two buffers of ``copy-cache``: both together fit an L2 cache of 1 MiB."""

SIDES = {"fp32": 512, "bf16": 768, "int8": 1024}
"""Rows and columns of the matrices: some milliseconds a call, and beside them no overhead."""

_WHICH = re.compile(r"(copy-(?:dram|cache)|gemm-(?:fp32|bf16|int8))(?:-(\d+)t)?")
_MARGIN = 2**28  # bytes that the rest of the process may need meanwhile


def load(*, seed: int = 0, which: str = "") -> Workload:
    """One ceiling of the roofline; it is its own baseline, measured beside itself.

    ``copy-dram`` goes through 1 GiB, 8 MiB a call; ``copy-cache`` copies 256 KiB within the core's
    own caches. A copy of n bytes moves 2 n, for it reads and it writes. ``gemm-fp32``,
    ``gemm-bf16`` and ``gemm-int8`` multiply square matrices of 512, 768 and 1,024 rows. One thread,
    or as many as the name ends with: ``gemm-fp32-2t``.

    Args:
        seed: Of the matrices' content, on which no time depends.
        which: One of the above.

    Raises:
        ValueError: There is no such one, its threads are more than the CPUs, the memory does not
            suffice, or the last-level cache is too large for ``copy-dram``.
        RuntimeError: This torch has no int8 kernels of oneDNN.

    Source: Williams, Waterman and Patterson 2009, "Roofline", for the bounds; McCalpin 1995,
    "STREAM", for counting what a copy moves.
    """
    match = _WHICH.fullmatch(which)
    if match is None:
        raise ValueError(
            f"found roofline:{which}, wanted roofline: and copy-dram, copy-cache, gemm-fp32, "
            "gemm-bf16 or gemm-int8, with -2t behind it for two threads; choose one of them"
        )
    kind, threads = match[1], int(match[2] or 1)
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if not 1 <= threads <= cpus:
        raise ValueError(
            f"found roofline:{which} with {threads} threads, wanted 1 to {cpus}, the CPUs that "
            "there are; choose fewer"
        )
    what, _, of = kind.partition("-")
    name = f"roofline:{which}"
    return (_copy if what == "copy" else _gemm)(name, of, threads, seed)


def _copy(name: str, of: str, threads: int, seed: int) -> Workload:  # noqa: ARG001 - no content
    from bench.workloads._roofline_modules import Copy

    size, part = CACHE_BYTES, CACHE_BYTES
    if of == "dram":
        size, part = DRAM_BYTES, PART_BYTES
        require_beyond(size, last_level_cache())
        require_memory(size, available_memory())

    def inputs(batch: int) -> tuple[Any, Any]:
        """Source and target (elements,): made for each case anew, so that none keeps them."""
        import torch

        _require_one(name, batch)
        return torch.ones(size // 4), torch.zeros(size // 4)

    return Workload(
        name,
        Copy(part // 4),
        inputs,
        unit="transfer",
        threads=threads,
        version=_version(name, size, part),
    )


def _gemm(name: str, of: str, threads: int, seed: int) -> Workload:
    import torch

    from bench.workloads._roofline_modules import product

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model, left = product(of, SIDES[of])

    def inputs(batch: int) -> Any:  # noqa: ANN401 - a tensor
        _require_one(name, batch)
        return left

    version = _version(name, SIDES[of])
    return Workload(name, model, inputs, unit="product", threads=threads, version=version)


def require_beyond(size: int, cache: int | None) -> None:
    """Refuses two buffers of *size* bytes that a last-level cache might hold half of.

    Raises:
        ValueError: They are smaller than twice the cache.
    """
    if cache is not None and size < cache:
        raise ValueError(
            f"found a last-level cache of {cache / 2**20:.0f} MiB, wanted at most "
            f"{size / 2**20:.0f} MiB for a copy beyond it; set roofline.DRAM_BYTES higher"
        )


def require_memory(size: int, available: int | None) -> None:
    """Refuses two buffers of *size* bytes that do not fit; unknown memory is not refused.

    Raises:
        ValueError: They do not fit.
    """
    wanted = 2 * size + _MARGIN
    if available is not None and available < wanted:
        raise ValueError(
            f"found {available / 2**30:.1f} GiB of free memory, wanted {wanted / 2**30:.1f} GiB "
            "for roofline:copy-dram; end other programs, or leave it out with -k 'not dram'"
        )


def available_memory(path: Path = Path("/proc/meminfo")) -> int | None:
    """Bytes that a program may take without swapping, as Linux says; None elsewhere."""
    try:
        lines = path.read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    found = [line.split()[1] for line in lines if line.startswith("MemAvailable:")]
    return int(found[0]) * 1024 if found else None


def _require_one(name: str, batch: int) -> None:
    if batch != 1:
        raise ValueError(f"found batch {batch} for {name}, wanted 1: leave it out")


def _version(name: str, *sizes: int) -> str:
    return hashlib.sha256(f"{name}/{sizes}".encode()).hexdigest()[:12]
