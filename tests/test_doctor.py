"""The doctor shows what can be measured, and for the rest why not and what to do."""

import json
import sys
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import pytest
from emulators import FakeNvml, VirtualClock
from virtual import Clock, KnownMeter, steady

from bench.cli import main
from bench.doctor import diagnose
from bench.instruments import Instruments
from bench.machine import Machine
from bench.meter import Channel, Reading, Status, Unusable
from bench.quantities import Kind

MACHINE = Machine(
    id="m1",
    cpu="a CPU",
    vendor="GenuineIntel",
    cpus=2,
    memory_bytes=None,
    gpu=(),
    kernel="Linux 6",
    virtualised=None,
    governor="performance",
    turbo=False,
    python="3.11",
)


def test_the_tree_shows_what_is_in_the_total_and_what_is_not() -> None:
    meter = KnownMeter(
        Clock(), {"cpu/0/package": steady(1), "cpu/0/core": steady(1)}, update_s=0.02
    )

    text = "\n".join(diagnose(MACHINE, Instruments((meter,))).lines())

    assert "energy: MEASURED, cpu-package; shortest block 1 s" in text
    assert "in the total · moves every 20 ms" in text
    assert "beside the total, never added" in text


def test_what_cannot_be_used_is_told_with_its_reason_and_fix() -> None:
    unusable = Unusable("powercap", Status.PERMISSION, "energy_uj is 0400", "add a udev rule")

    text = "\n".join(diagnose(MACHINE, Instruments((), (unusable,))).lines())

    assert "energy: NOT MEASURED here" in text
    assert "permission: energy_uj is 0400" in text
    assert "fix: add a udev rule" in text


def test_an_estimate_is_no_measurement_however_many_there_are() -> None:
    meter = KnownMeter(Clock(), {"process/cpu": steady(1)}, kind=Kind.ESTIMATED)

    diagnosis = diagnose(MACHINE, Instruments((meter,)))

    assert not diagnosis.measured
    assert diagnosis.as_json()["boundary"] is None


@pytest.mark.parametrize(
    ("change", "noise"),
    [
        ({"virtualised": "virtual machine (KVM)"}, "virtual machine (KVM): neighbours"),
        ({"governor": "powersave"}, "cpupower frequency-set -g performance"),
        ({"governor": None}, "the CPU governor cannot be seen"),
        ({"turbo": True}, "turbo is on"),
        ({"cpus": 0}, "something else is running"),
    ],
)
def test_what_makes_results_unsteady_is_named(
    change: dict[str, object], noise: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import dataclasses

    monkeypatch.setattr("os.getloadavg", lambda: (0.2, 0, 0))
    machine = dataclasses.replace(MACHINE, **change)  # type: ignore[arg-type]

    assert noise in "; ".join(diagnose(machine, Instruments()).noise)


def test_meters_that_want_to_be_named_are_listed_as_such() -> None:
    text = "\n".join(diagnose(MACHINE, Instruments()).lines())

    assert "on request: --joules-meters replay" in text


def test_the_doctor_prints_one_json_object(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--json", "--meters", "replay"]) == 0

    found = json.loads(capsys.readouterr().out)
    assert found["measured"] is True
    assert all(channel["origin"].startswith("replay:") for channel in found["channels"])
    assert any(channel["in_total"] for channel in found["channels"])


def test_require_measured_ends_with_10_where_only_estimates_are(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["doctor", "--meters", "codecarbon", "--require", "measured"]) == 10
    assert "no instrument can be read here" in capsys.readouterr().err


def test_require_measured_is_content_with_an_instrument() -> None:
    assert main(["doctor", "--meters", "replay", "--require", "measured"]) == 0


def test_on_a_machine_without_any_source_the_doctor_still_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("JOULES_SYSFS_ROOT", str(tmp_path))

    assert main(["doctor"]) == 0
    assert "powercap" in capsys.readouterr().out


def test_require_gpu_wants_a_gpus_own_instrument(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--meters", "replay", "--require", "gpu"]) == 10
    assert "no instrument of a GPU can be read here" in capsys.readouterr().err


def test_require_gpu_is_content_with_a_gpus_counter(tmp_path: Path) -> None:
    trace = json.loads(files("bench").joinpath("meters/replay.json").read_text())
    board = {**trace["channels"][0], "id": "gpu/GPU-1/board", "domain": "gpu"}
    path = tmp_path / "gpu.json"
    path.write_text(json.dumps({"channels": [{**board, "boundary": "gpu-board"}]}))

    assert main(["doctor", "--meters", f"replay:{path}", "--require", "gpu"]) == 0


def test_probing_a_gpu_that_is_not_there_ends_with_10_and_the_fix(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", FakeNvml([], VirtualClock(), {"nvmlInit": 12}))

    assert main(["doctor", "--probe", "gpu"]) == 10
    assert "install the NVIDIA driver" in capsys.readouterr().err


def test_the_tree_shows_what_a_gauge_averages_and_in_what_steps() -> None:
    gauge = Channel(
        "board/dc", "board", Kind.SAMPLED, "dc", 0.05, 0.4, None, 30.0, "a test",
        unit="W", averaging_window_s=1.0,
    )  # fmt: skip

    text = "\n".join(diagnose(MACHINE, Instruments((Still((gauge,)),))).lines())

    assert "moves every 400 ms · steps of 0.05 W · mean of 1 s" in text


@dataclass
class Still:
    channels: tuple[Channel, ...]
    name: str = "still"
    unusable: tuple[Unusable, ...] = ()

    def read(self) -> tuple[Reading, ...]:
        return ()

    def close(self) -> None:
        """Nothing is held."""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["doctor", "-o", "x.json"], "-o writes what --probe saw"),
        (["doctor", "--probe", "gpu", "--require", "gpu"], "--probe gpu stands alone"),
        (["doctor", "--meters", "replay,"], "found an empty name"),
    ],
)
def test_what_would_be_ignored_is_refused(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    assert message in capsys.readouterr().err
