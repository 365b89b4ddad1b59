"""One AMD GPU behind the package amdsmi: how it is read, and the channel that it becomes."""

import importlib
import io
from collections.abc import Mapping
from contextlib import redirect_stdout, suppress
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from bench.meter import Channel, MeterUnavailable
from bench.meters import _amdsmi_values as values
from bench.quantities import Kind

GAUGE_INTERVAL_S = 0.1
"""Where a gauge did not move: the longest for which a release caches what it shows, s."""

_SHORTEST_POLL_S = 0.005
_RESOLUTION_W = 1.0  # whole watts
_TWO_DIES = "MI250"
_STEP_NOTE = (
    "amdsmi takes 15.3 µJ a count, AMD's driver says 2^-16 J = 15.259 µJ: the interval holds both"
)


def load() -> ModuleType:
    """The package amdsmi, which prints and raises where AMD's own library does not load.

    Raises:
        MeterUnavailable: It is not installed, or does not load.
    """
    release = "pip install amdsmi in the release of your ROCm (cat /opt/rocm/.info/version)"
    printed = io.StringIO()
    try:
        with redirect_stdout(printed):
            return importlib.import_module("amdsmi")
    except ModuleNotFoundError as error:
        fix = f"{release}, or pip install /opt/rocm/share/amd_smi"
        raise MeterUnavailable("amdsmi is not installed", fix) from error
    except AttributeError as error:  # a function that the library of ROCm does not have
        reason = f"libamd_smi.so is of another release than the package amdsmi ({error})"
        raise MeterUnavailable(reason, release) from error
    except Exception as error:  # it raises KeyError for a missing library
        said = next(iter(printed.getvalue().splitlines()), "") or f"{type(error).__name__}: {error}"
        raise MeterUnavailable(
            f"amdsmi is installed and does not load: {said}",
            "sudo apt install amd-smi-lib, or set ROCM_PATH to where ROCm is",
        ) from error


@dataclass(frozen=True, slots=True)
class Gpu:
    """What is read of one GPU.

    Args:
        library: The module amdsmi.
        handle: The library's own for it.
        pci: Its PCI id in lower case, such as ``0000:03:00.0``.
        name: As it is sold; empty where the library does not say.
        p_max_w: Power that it cannot exceed, W.
        key: The field that holds its power; None if none does.
    """

    library: ModuleType
    handle: object
    pci: str
    name: str
    p_max_w: float
    key: str | None

    def joules(self) -> float:
        """Its energy so far, J."""
        return values.energy_j(self.library.amdsmi_get_energy_count(self.handle))

    def step_j(self) -> float:
        """Joules of one count of its accumulator."""
        return values.step_j(self.library.amdsmi_get_energy_count(self.handle))

    def watts(self) -> float:
        """Its power, W."""
        if self.key is None:
            raise ValueError("it shows no power")
        info = self.library.amdsmi_get_power_info(self.handle)
        return values.watts(info, self.key, self.p_max_w)

    def drawn(self) -> tuple[float, ...]:
        """Its power, W; empty where it shows none."""
        with suppress(Exception):
            return (self.watts(),)
        return ()

    def limited(self, *, quickly: bool) -> tuple[str, ...]:
        """What limits it now: by kind on MI300 and later, which takes 0.1 s unless *quickly*."""
        if not quickly:
            with suppress(Exception):
                return values.violations(self.library.amdsmi_get_violation_status(self.handle))
        with suppress(Exception):
            metrics = self.library.amdsmi_get_gpu_metrics_info(self.handle)
            return ("its driver says so",) if metrics.get("throttle_status") is True else ()
        return ()

    @property
    def zero(self) -> tuple[str, str]:
        """Why exactly 0 W is no power, and what to do."""
        if _TWO_DIES not in self.name:
            return "it shows exactly 0 W, which stands for no value", "update the driver"
        return (
            f"it shows exactly 0 W: the second die of an {_TWO_DIES}, whose first reports both",
            "read the other GPU of the module: its joules contain those of this one",
        )

    def counter(self, step_j: float, interval_s: float) -> Channel:
        """The channel of its energy counter."""
        doubt = values.true_range(step_j)
        return Channel(
            id=f"gpu/{self.pci}/board",
            domain="gpu",
            kind=Kind.MEASURED,
            boundary="gpu-board",
            resolution=step_j,
            update_interval_s=interval_s,
            wrap=None,  # 64 bits: a decrease is a reset
            p_max_w=self.p_max_w,
            origin=f"amdsmi:{self.pci}:energy_count",
            range=doubt,
            note=self._note(_STEP_NOTE if doubt != (1.0, 1.0) else ""),
        )

    def gauge(self, interval_s: float | None) -> Channel:
        """The channel of its power; *interval_s* is None where it was not seen to move."""
        known = interval_s or GAUGE_INTERVAL_S
        averaged = values.AVERAGED_OVER_S.get(self.key or "", values.AVERAGED_OVER_DEFAULT_S)
        return Channel(
            id=f"gpu/{self.pci}/board",
            domain="gpu",
            kind=Kind.SAMPLED,
            boundary="gpu-board",
            resolution=_RESOLUTION_W,
            update_interval_s=known,
            wrap=None,
            p_max_w=self.p_max_w,
            origin=f"amdsmi:{self.pci}:{self.key}",
            note=self._note(
                f"AMD does not say over which time {self.key} averages; {averaged:g} s is taken"
            ),
            unit="W",
            averaging_window_s=averaged,
            poll_s=max(known, _SHORTEST_POLL_S),
        )

    def _note(self, text: str) -> str:
        both = f"the joules of this {_TWO_DIES} contain both dies of its module"
        return "; ".join(part for part in (both if _TWO_DIES in self.name else "", text) if part)


def describe(library: ModuleType, handle: object, pci: str, info: Mapping[str, Any]) -> Gpu:
    """A GPU by its handle, its PCI id and an answer of ``amdsmi_get_power_info``."""
    name = ""
    with suppress(Exception):  # a name is not needed to read it
        name = str(library.amdsmi_get_gpu_asic_info(handle)["market_name"])
    most_w = values.p_max_w(info.get("power_limit"))
    return Gpu(library, handle, pci, name, most_w, values.power_key(info))
