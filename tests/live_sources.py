"""Power sources that are live in real time, each of a constant power, and `joulebench measure`.

What a device is asked for when it is read (HTTP, a library, a system call) is computed then, so
its energy is known for certain. What lies in files is constant, or kept moving by a `writer`,
which a busy machine may hold up.

A meter watches its source when it opens, and waits for changes; where that takes long, the last
digit of what is shown flickers by less than the step that the meter knows of.
"""

import contextlib
import itertools
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socketserver import StreamRequestHandler, TCPServer, ThreadingTCPServer
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from emulated_hwmon import Sysfs
from emulated_perf import PerfMachine
from emulated_raspberry_pi import EmulatedPi, shim
from emulated_trace import ptd
from emulators import Powercap, Z
from known_power import KnownPower

from bench.cli import main

EXIT_CODE = 7
CARRIES_ENERGY = {"ok", "wrapped", "held", "gap"}
Found = dict[str, Any]
"""What ``joulebench measure --json`` prints, or a part of it."""

TICK_S = 0.02
"""Time between two moves of a counter in a file: ten of them pass before it counts as frozen."""


def command(seconds: float) -> list[str]:
    """A command that takes at least *seconds*, says so, and ends with `EXIT_CODE`."""
    program = f"import time; time.sleep({seconds}); print('done'); raise SystemExit({EXIT_CODE})"
    return [sys.executable, "-I", "-S", "-c", program]


def arguments(meters: str | None, seconds: float) -> list[str]:
    """Those of joulebench, for `command`."""
    named = ["--meters", meters] if meters else []
    return ["measure", "--json", *named, "--", *command(seconds)]


def outcome(out: str, code: int, seconds: float) -> Found:
    """What was printed, if it is as it must be whatever was measured in at least *seconds*."""

    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is no JSON")

    assert code == EXIT_CODE
    said, line = out.splitlines()
    found: Found = json.loads(line, parse_constant=refuse)
    assert said == "done"
    assert found["exit_code"] == EXIT_CODE
    assert found["duration_s"] >= seconds
    for energy in found["energy"]:
        if energy["status"] in CARRIES_ENERGY:
            assert 0 <= energy["low"] <= energy["joules"] <= energy["high"]
            assert energy["joules"] > 0
            assert energy["reason"] == ""
        else:
            assert energy["joules"] is energy["low"] is energy["high"] is None
            assert energy["reason"]
    assert (found["total"] is None) == bool(found["reason"])
    return found


class Measure:
    """Runs ``joulebench measure --json`` in this process, and gives what it prints."""

    def __init__(self, capfd: pytest.CaptureFixture[str]) -> None:
        self._capfd = capfd

    def __call__(self, meters: str | None, seconds: float) -> Found:
        code = main(arguments(meters, seconds))
        return outcome(self._capfd.readouterr().out, code, seconds)


def total_j(found: Found, kind: str, boundary: str) -> float:
    """Joules of the total, which must be of that kind and boundary."""
    assert found["total"] is not None, found["reason"]
    total = found["total"]
    assert (total["kind"], total["boundary"]) == (kind, boundary)
    assert total["low"] <= total["joules"] <= total["high"]
    return float(total["joules"])


def energy_of(found: Found, channel: str) -> Found:
    """The energy of one channel."""
    (energy,) = (each for each in found["energy"] if each["channel"] == channel)
    return dict(energy)


def holds(found: Found, channel: str, watts: float) -> Found:
    """The energy of a channel, which must hold the true one of a constant power."""
    energy = energy_of(found, channel)
    assert energy["status"] in CARRIES_ENERGY, energy["reason"]
    assert energy["low"] <= watts * found["duration_s"] <= energy["high"]
    return energy


def only_this_tree(root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A sysfs root; no GPU of this machine is seen beside it, nor a Raspberry Pi's program."""
    sysfs = root / "sys"
    sysfs.mkdir()
    monkeypatch.setenv("JOULES_SYSFS_ROOT", str(sysfs))
    monkeypatch.setenv("PATH", str(root / "no programs"))
    for module in ("amdsmi", "pynvml", "zeus_apple_silicon"):
        monkeypatch.setitem(sys.modules, module, None)
    return sysfs


_WRITER = f"""
import os, sys, time

counters = [(os.open(path, os.O_WRONLY), float(watts)) for path, watts in
            zip(sys.argv[1::2], sys.argv[2::2])]
began = time.monotonic()
print("it moves", flush=True)
while True:
    for fd, watts in counters:
        shown = 100_000_000_000 + int(watts * 1e6 * (time.monotonic() - began))  # counts µJ
        os.pwrite(fd, b"%d\\n" % shown, 0)
    time.sleep({TICK_S})
"""


@contextlib.contextmanager
def writer(counters: Mapping[Path, float]) -> Iterator[None]:
    """A process that keeps files of energy in µJ moving, each at its power in W."""
    pairs = [str(each) for pair in counters.items() for each in pair]
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", _WRITER, *pairs], stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        process.stdout.readline()
        yield
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@contextlib.contextmanager
def rapl(root: Path, watts: Mapping[str, float]) -> Iterator[None]:
    """RAPL packages below a sysfs root, by their directory, such as ``intel-rapl:0``."""
    tree = Powercap(root, [Z(where, f"package-{where[-1]}") for where in watts])
    with writer({tree.path(where) / "energy_uj": power for where, power in watts.items()}):
        yield


def perf_clock(root: Path, watts: float) -> None:
    """A power PMU whose event is the kernel's own clock of CPU 0: real, and *watts* nJ a ns."""
    pmu = PerfMachine(root, {0: {"pkg": 0.0}}).pmu
    (pmu / "type").write_text("1\n")  # PERF_TYPE_SOFTWARE
    (pmu / "events" / "energy-pkg").write_text("event=0x00\n")  # PERF_COUNT_SW_CPU_CLOCK
    (pmu / "events" / "energy-pkg.scale").write_text(f"{watts * 1e-9:.9e}\n")


def bare_sensor(sysfs: Sysfs, watts: float) -> None:
    """An INA226 of which nobody says what it measures; it is refreshed every 100 ms."""
    files = {"power1_input": f"{watts * 1e6:.0f}", "update_interval": "100"}
    sysfs.add("ina226", "1-0041", files, bus="i2c-1")


def jetson(sysfs: Sysfs) -> dict[str, float]:
    """An Orin NX with its three rails, refreshed every 100 ms; gives the power of each, W."""
    sysfs.tree("nvidia,p3768-0000+p3767-0000 nvidia,tegra234", "NVIDIA Jetson Orin NX")
    rails = {"VDD_IN": 2400, "VDD_CPU_GPU_CV": 1200, "VDD_SOC": 600}  # mA at 5 V
    files = {"update_interval": "100"}
    for number, (label, milliamperes) in enumerate(rails.items(), 1):
        files |= {
            f"in{number}_label": label,
            f"in{number}_input": "5000",
            f"curr{number}_input": str(milliamperes),
            f"shunt{number}_resistor": "5000",
        }
    sysfs.add("ina3221", "1-0040", files, bus="c240000.i2c/i2c-1")
    return {label: 5.0 * milliamperes / 1e3 for label, milliamperes in rails.items()}


def server_meter(sysfs: Sysfs, watts: float) -> None:
    """The ACPI power meter of a whole server, which averages over 300 ms."""
    files = {"power1_average": f"{watts * 1e6:.0f}", "power1_average_interval": "300"}
    sysfs.add("power_meter", "ACPI000D:00", files, bus="LNXSYSTM:00", legacy=True)


def battery(root: Path, watts: float, status: str = "Discharging") -> Path:
    """A laptop's battery; gives the file of its power."""
    folder = root / "class" / "power_supply" / "BAT0"
    folder.mkdir(parents=True)
    files = {"type": "Battery", "present": "1", "status": status, "energy_now": "41500000"}
    files |= {"energy_full": "57030000", "power_now": f"{watts * 1e6:.0f}"}
    for name, text in files.items():
        (folder / name).write_text(f"{text}\n")
    return folder / "power_now"


@contextlib.contextmanager
def again_and_again(work: Callable[[], object], period_s: float) -> Iterator[None]:
    """Does something every *period_s* in a thread."""
    over = threading.Event()

    def run() -> None:
        while not over.wait(period_s):
            work()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@contextlib.contextmanager
def flickering(power_now: Path, watts: float) -> Iterator[None]:
    """A battery's power that is refreshed twenty times a second, one mW up and down."""
    fd = os.open(power_now, os.O_WRONLY)
    shown = itertools.cycle((round(watts * 1e6), round(watts * 1e6) + 1000))  # µW
    try:
        with again_and_again(lambda: os.pwrite(fd, b"%d\n" % next(shown), 0), 0.05):
            yield
    finally:
        os.close(fd)


@contextlib.contextmanager
def serving(server: TCPServer) -> Iterator[str]:
    """Lets a server answer, as ``host:port``."""
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    with server:
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


@contextlib.contextmanager
def shelly(watts: float) -> Iterator[str]:
    """A Shelly plug of the second generation at *watts*, as ``http://host:port``.

    Its power flickers by its last digit; its total is that of the moment in which it is asked.
    """
    shown = itertools.cycle((watts, watts + 0.1))
    began = time.monotonic()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            known = self.path == "/rpc/Switch.GetStatus?id=0"
            watt_hours = 1204.71 + watts * (time.monotonic() - began) / 3600
            reply: Found = {"id": 0, "output": True, "apower": next(shown), "voltage": 229.8}
            reply["aenergy"] = {"total": int(watt_hours * 1000) / 1000}
            body = json.dumps(reply).encode()
            self.send_response(200 if known else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    with serving(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as where:
        yield f"http://{where}"


@contextlib.contextmanager
def logger(path: Path, watts: float) -> Iterator[None]:
    """A wattmeter that writes a line of ``time,watts`` every 50 ms to a file or a pipe.

    Its last digit flickers; the times are unix times.
    """
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND)  # so that a pipe needs no reader yet
    os.write(fd, b"time,watts\n")
    shown = itertools.cycle((watts, watts + 0.1))
    try:
        with again_and_again(
            lambda: os.write(fd, f"{time.time():.6f},{next(shown):.1f}\n".encode()), 0.05
        ):
            yield
    finally:
        os.close(fd)


@contextlib.contextmanager
def ptdaemon(watts: float) -> Iterator[str]:
    """PTDaemon with an analyser that samples every second, as ``ptd://host:port``."""
    answers = {"Hello": "Hello, PTDaemon here!", "Identify": "YokogawaWT310,0,emulated"}
    answers |= {"Go": "Starting untimed measurement", "Stop": "Stopping untimed measurement"}

    class Conversation(StreamRequestHandler):
        def handle(self) -> None:
            taken_s = time.time()
            for raw in self.rfile:
                name = raw.decode().strip().partition(",")[0]
                new = []
                while name == "RL" and taken_s + 1 <= time.time():
                    taken_s += 1
                    new.append(ptd(taken_s, watts))
                last = "\r\n".join([f"Last {len(new)} samples", *new])
                self.wfile.write(f"{answers.get(name, last)}\r\n".encode())

    with serving(ThreadingTCPServer(("127.0.0.1", 0), Conversation)) as where:
        yield f"ptd://{where}"


def raspberry_pi(folder: Path, watts: float) -> str:
    """A program ``vcgencmd`` that always tells the same; gives the PATH that finds it."""
    lines = "\n".join(EmulatedPi(KnownPower([watts], [1.0])).lines())
    script = f"case $1 in get_throttled) echo throttled=0x0 ;; *) echo '{lines}' ;; esac"
    return shim(folder, script)["PATH"]


AMDSMI = """
import time

class AmdSmiException(Exception): ...

def amdsmi_init(): ...
def amdsmi_shut_down(): ...
def amdsmi_get_processor_handles(): return list(WATTS)
def amdsmi_get_gpu_device_bdf(handle): return handle
def amdsmi_get_gpu_asic_info(handle): return {"market_name": "AMD Instinct MI300X"}

def amdsmi_get_power_info(handle):
    return {"current_socket_power": WATTS[handle], "power_limit": 750}

def amdsmi_get_energy_count(handle):
    counts = int(WATTS[handle] * time.monotonic() * 2**16)  # the driver counts in 2^-16 J
    return {"energy_accumulator": counts, "counter_resolution": 15.3, "timestamp": 1}

def amdsmi_get_violation_status(handle): raise AmdSmiException
def amdsmi_get_gpu_metrics_info(handle): return {"throttle_status": False}
"""
"""The package amdsmi, over GPUs whose powers in W are `WATTS` by their PCI id."""


def amdsmi(folder: Path, watts: Mapping[str, int]) -> Path:
    """A folder that holds the package amdsmi, to be put on Python's path."""
    folder.mkdir()
    (folder / "amdsmi.py").write_text(f"WATTS = {dict(watts)!r}\n{AMDSMI}")
    return folder


def zeus_apple_silicon(cpu_w: float, dram_w: float) -> ModuleType:
    """The package of that name over a chip with two parts that work, and a GPU at rest."""

    class Monitor:
        def get_cumulative_energy(self) -> SimpleNamespace:
            now = time.monotonic()
            return SimpleNamespace(
                cpu_total_mj=int(cpu_w * now * 1e3), dram_mj=int(dram_w * now * 1e3), gpu_mj=0
            )

    module = ModuleType("zeus_apple_silicon")
    module.AppleEnergyMonitor = Monitor  # type: ignore[attr-defined]
    return module


def measure_in_namespace(watts: str, *those: str) -> None:
    """Runs joulebench where /sys/class holds one RAPL package: a process of ``unshare -Urm``.

    Args:
        watts: Power of the package, W.
        those: Arguments of joulebench.
    """
    subprocess.run(["mount", "-t", "tmpfs", "none", "/sys/class"], check=True)
    zone = Path("/sys/class/powercap/intel-rapl/intel-rapl:0")
    zone.mkdir(parents=True)
    (zone.parent.parent / "intel-rapl:0").symlink_to("intel-rapl/intel-rapl:0")
    files = {"name": "package-0", "energy_uj": "100000000000"}
    for name, text in (files | {"max_energy_range_uj": "262143328850"}).items():
        (zone / name).write_text(f"{text}\n")
    with writer({zone / "energy_uj": float(watts)}):
        code = main(those)
    raise SystemExit(code)


if __name__ == "__main__":
    measure_in_namespace(*sys.argv[1:])
