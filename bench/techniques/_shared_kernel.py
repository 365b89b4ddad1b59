"""Compiles and loads the kernel for sparse matrices with shared weights."""

import contextlib
import ctypes
import functools
import hashlib
import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from bench.workloads._weights_cache import cache_folder

SOURCE = Path(__file__).with_name("_shared_kernel.c")
COMMON = ("-O3", "-fno-tree-vectorize", "-fPIC", "-shared")
"""Vectors are written in the source; loops turned into gather instructions were slower."""
SPECIAL = (("-march=native", "-fopenmp"), ("-march=native",), ("-fopenmp",), ())
COMPILE_DEADLINE_S = 60.0

Product = Callable[..., int]
"""``joules_shared_product`` of the source, addresses as whole numbers."""


@functools.cache
def shared_product() -> Product | None:
    """The compiled kernel; None where no C compiler makes one that loads.

    The compiler is ``$CC``, or the first of cc, gcc and clang. The library is kept in the user's
    cache folder, one for each source, compiler and processor.
    """
    chosen = os.environ.get("CC")
    names = (chosen,) if chosen else ("cc", "gcc", "clang")
    compiler = next(filter(None, map(shutil.which, names)), None)
    return None if compiler is None else compiled(compiler, cache_folder() / "kernels")


def compiled(compiler: str, folder: Path) -> Product | None:
    """The kernel as *compiler* makes it, kept in *folder*; None if it cannot.

    A library that is there and does not load is made again.
    """
    import torch  # noqa: F401 - loaded first, so that both share one OpenMP library, its threads too

    path = folder / f"shared-{_key(compiler)}.so"
    with contextlib.suppress(OSError):
        return _loaded(path)
    with contextlib.suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        _compile(compiler, path)
        return _loaded(path)
    return None


def _loaded(path: Path) -> Product:
    function = ctypes.CDLL(str(path)).joules_shared_product
    address = ctypes.c_void_p
    function.argtypes = [*[address] * 8, ctypes.c_int, address, ctypes.c_int]
    function.restype = ctypes.c_int
    product: Product = function
    return product


def _compile(compiler: str, path: Path) -> None:
    """Whole or not at all: other processes may look for *path* now.

    Raises:
        OSError: No set of flags gives a library.
    """
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        made = Path(folder) / path.name
        for special in SPECIAL:
            if _runs([compiler, *COMMON, *special, str(SOURCE), "-o", str(made)]):
                made.replace(path)
                return
    raise OSError(f"{compiler} does not compile {SOURCE.name}")


def _runs(command: Sequence[str]) -> bool:
    try:
        done = subprocess.run(command, capture_output=True, timeout=COMPILE_DEADLINE_S, check=False)  # noqa: S603 - the user's own compiler
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def _key(compiler: str) -> str:
    """What a library is made of and for: source, flags, compiler, processor."""
    program = Path(compiler).resolve()
    identity = f"{program} {program.stat().st_size} {program.stat().st_mtime_ns}"
    parts = (SOURCE.read_text(encoding="utf-8"), repr((COMMON, SPECIAL)), identity, _processor())
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def _processor() -> str:
    """What ``-march=native`` depends on: the instructions that the processor says it has."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    kinds = {line for line in lines if line.startswith(("flags", "Features", "model name"))}
    return "\n".join([platform.machine(), *sorted(kinds)])
