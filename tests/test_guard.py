"""What disturbs a block is seen at its ends: emulated trees of /sys and /proc, and pure rules."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench import guard
from bench.guard import GpuState, State, disturbances, read, repeatable, sort_of

CALM = State(
    clock_hz=3.4e9,
    temperature_c=60.0,
    throttles=12,
    power_limits_w=(65.0, 90.0),
    governor="performance",
    on_battery=False,
    foreign_cpu_s=100.0,
    gpus=(GpuState("GPU-a", 1.41e9, 70.0, 400.0),),
)
"""A machine at the start of a case."""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Two packages of two CPUs, warm, one of them throttled once, on the mains."""
    for cpu in range(4):
        folder = f"sys/devices/system/cpu/cpu{cpu}"
        write(tmp_path, f"{folder}/cpufreq/scaling_cur_freq", 800_000 + 650_000 * cpu)
        write(tmp_path, f"{folder}/cpufreq/scaling_governor", "powersave")
        write(tmp_path, f"{folder}/thermal_throttle/core_throttle_count", 1)
        write(tmp_path, f"{folder}/thermal_throttle/package_throttle_count", 10)
        write(tmp_path, f"{folder}/topology/physical_package_id", cpu // 2)
    write(tmp_path, "sys/class/hwmon/hwmon0/name", "nvme")
    write(tmp_path, "sys/class/hwmon/hwmon0/temp1_input", 99_000)
    write(tmp_path, "sys/class/hwmon/hwmon1/name", "coretemp")
    write(tmp_path, "sys/class/hwmon/hwmon1/temp1_input", 61_000)
    write(tmp_path, "sys/class/hwmon/hwmon1/temp2_input", 63_500)
    write(tmp_path, "sys/class/powercap/intel-rapl:0/constraint_0_power_limit_uw", 65_000_000)
    write(tmp_path, "sys/class/powercap/intel-rapl:0:0/constraint_0_power_limit_uw", 9)
    write(tmp_path, "sys/class/power_supply/AC/type", "Mains")
    write(tmp_path, "sys/class/power_supply/AC/online", 1)
    write(tmp_path, "proc/stat", "cpu  1000 0 500 9000 10 0 0 250 0 0")
    return tmp_path


def write(root: Path, name: str, value: object) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{value}\n", encoding="utf-8")


def test_the_state_of_a_machine_is_read_from_the_files_of_its_kernel(tree: Path) -> None:
    found = read(tree)

    assert found.clock_hz == 2.75e9  # the fastest: the others may be waiting
    assert found.temperature_c == 63.5  # not that of the disk
    assert found.throttles == 4 * 1 + 2 * 10  # each package once
    assert found.power_limits_w == (65.0,)
    assert found.governor == "powersave"
    assert found.on_battery is False
    assert found.foreign_cpu_s is not None


def test_a_machine_that_tells_nothing_has_no_state_and_no_disturbance(tmp_path: Path) -> None:
    assert read(tmp_path) == State()
    assert disturbances(State(), State(), State(), 0.5) == ()


def test_a_thermal_zone_stands_in_where_no_sensor_has_a_name(tmp_path: Path) -> None:
    write(tmp_path, "sys/class/thermal/thermal_zone0/type", "acpitz")
    write(tmp_path, "sys/class/thermal/thermal_zone0/temp", 27_800)
    write(tmp_path, "sys/class/thermal/thermal_zone1/type", "x86_pkg_temp")
    write(tmp_path, "sys/class/thermal/thermal_zone1/temp", 55_000)

    assert read(tmp_path).temperature_c == 55


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"AC/type": "Mains", "AC/online": 0}, True),
        ({"AC/type": "Mains", "AC/online": 1, "BAT0/type": "Battery"}, False),
        ({"BAT0/type": "Battery", "BAT0/status": "Discharging"}, True),
        ({"BAT0/type": "Battery", "BAT0/status": "Charging"}, False),
        ({"mouse/type": "Battery", "mouse/scope": "Device", "mouse/status": "Discharging"}, None),
        ({}, None),
    ],
)
def test_whether_the_machine_runs_from_its_battery(
    tmp_path: Path, files: dict[str, object], expected: bool | None
) -> None:
    for name, value in files.items():
        write(tmp_path, f"sys/class/power_supply/{name}", value)

    assert read(tmp_path).on_battery is expected


@pytest.mark.parametrize("garbage", ["", "n/a", "\x00"])
def test_a_file_with_garbage_is_as_good_as_none(tmp_path: Path, garbage: str) -> None:
    write(tmp_path, "sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq", garbage)
    write(tmp_path, "proc/stat", garbage)

    assert read(tmp_path) == State()


def test_the_state_of_this_machine_can_be_read() -> None:
    assert isinstance(read(), State)


def test_a_machine_that_stays_as_it_was_disturbs_nothing() -> None:
    assert disturbances(CALM, CALM, CALM, 0.5) == ()


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        ({"foreign_cpu_s": 100.5}, "foreign load 1.00 CPU"),
        ({"throttles": 15}, "throttled: CPUs held their clocks back for heat, 3 times"),
        ({"clock_hz": 3.2e9}, "clock of CPU 3.20 GHz, at the start 3.40 GHz"),
        ({"temperature_c": 66.0}, "temperature of CPU 66 °C, at the start 60 °C"),
        ({"temperature_c": 54.0}, "temperature of CPU 54 °C, at the start 60 °C"),
        (
            {"power_limits_w": (45.0, 90.0)},
            "changed: CPU power limit was 65 W · 90 W, is 45 W · 90 W",
        ),
        ({"governor": "powersave"}, "changed: CPU governor was performance, is powersave"),
        ({"on_battery": True}, "changed: on battery was false, is true"),
        (
            {"gpus": (GpuState("GPU-a", 1.2e9, 70.0, 400.0),)},
            "clock of GPU GPU-a 1.20 GHz, at the start 1.41 GHz",
        ),
        (
            {"gpus": (GpuState("GPU-a", 1.41e9, 76.0, 400.0),)},
            "temperature of GPU GPU-a 76 °C, at the start 70 °C",
        ),
        (
            {"gpus": (GpuState("GPU-a", 1.41e9, 70.0, 300.0),)},
            "changed: GPU GPU-a power limit was 400 W, is 300 W",
        ),
    ],
)
def test_each_change_of_the_machine_is_a_disturbance_of_its_sort(
    after: dict[str, object], expected: str
) -> None:
    found = disturbances(CALM, replace(CALM, **after), CALM, 0.5)  # type: ignore[arg-type]

    assert found == (expected,)
    assert sort_of(expected)
    assert repeatable(found, ()) == found
    assert repeatable(found, {sort_of(expected)}) == ()


@given(st.floats(0.9, 1.1), st.floats(-8, 8), st.floats(0, 0.4))
def test_the_limits_are_those_that_are_written_down(
    clock: float, degrees: float, load: float
) -> None:
    after = replace(
        CALM,
        clock_hz=clock * 3.4e9,
        temperature_c=60 + degrees,
        foreign_cpu_s=100 + load * 10,
    )

    sorts = {sort_of(reason) for reason in disturbances(CALM, after, CALM, 10)}

    assert ("clock of CPU" in sorts) == (clock * 3.4e9 < guard.LEAST_CLOCK * 3.4e9)
    assert ("temperature of CPU" in sorts) == (abs(60 + degrees - 60) > guard.MOST_CELSIUS)
    if abs(load - 0.103) > 1e-6:
        assert ("foreign load" in sorts) == (load > 0.103)


def test_clock_and_temperature_are_held_against_the_start_of_the_case_not_of_the_block() -> None:
    warm = replace(CALM, temperature_c=64.0)
    warmer = replace(CALM, temperature_c=66.0)

    assert disturbances(warm, warmer, CALM, 0.5) != ()
    assert disturbances(warm, warmer, warm, 0.5) == ()


def test_a_gpu_that_was_not_there_at_the_start_is_held_against_nothing() -> None:
    assert disturbances(replace(CALM, gpus=()), CALM, replace(CALM, gpus=()), 0.5) == ()


@pytest.mark.parametrize(
    "flag",
    [
        "gpu/G/board was not read for too long; its interval spans what may have been drawn",
        "reading the meters took more than 2% of the window in CPU time",
        "not steady: the power still changed",
    ],
)
def test_what_a_repeat_would_not_mend_is_no_reason_for_one(flag: str) -> None:
    assert repeatable((flag,), ()) == ()


@pytest.mark.parametrize(
    ("flag", "sort"),
    [
        ("throttled: SW power cap (GPU-a)", "throttled: SW power cap"),
        ("shared: 2 other processes compute on GPU-a", "shared"),
        ("foreign load 0.43 CPU", "foreign load"),
    ],
)
def test_flags_of_one_sort_are_known_by_what_stands_before_their_numbers(
    flag: str, sort: str
) -> None:
    assert sort_of(flag) == sort
