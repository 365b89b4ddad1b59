"""The fingerprint says what this machine is, from files; nothing private is in it."""

import dataclasses
import platform
import subprocess
from pathlib import Path

import pytest

from bench.guard import foreign_cpu_s
from bench.machine import fingerprint, git_state, versions


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The file system of a laptop with one GPU."""
    files = {
        "proc/cpuinfo": "vendor_id\t: GenuineIntel\nmodel name\t: Some Core\nflags\t\t: fpu sse\n",
        "proc/meminfo": "MemTotal:       1024 kB\n",
        "proc/stat": "cpu  100 0 100 900 0 0 0 0 0 0\n",
        "proc/driver/nvidia/gpus/0000:01:00.0/information": (
            "Model: \t\t NVIDIA T4\nGPU UUID: \t GPU-1234\n"
        ),
        "proc/driver/nvidia/version": (
            "NVRM version: NVIDIA UNIX x86_64 Kernel Module  570.86.15  Fri\nGCC version: 12.2\n"
        ),
        "etc/machine-id": "secret\n",
        "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor": "powersave\n",
        "sys/devices/system/cpu/intel_pstate/no_turbo": "0\n",
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def test_the_fingerprint_is_read_from_the_files_of_the_kernel(root: Path) -> None:
    machine = fingerprint(root)

    assert (machine.cpu, machine.vendor) == ("Some Core", "GenuineIntel")
    assert machine.memory_bytes == 1024 * 1024
    assert (machine.governor, machine.turbo) == ("powersave", True)
    assert machine.virtualised is None
    assert machine.gpu_driver == "570.86.15"
    assert [(gpu.name, gpu.uuid) for gpu in machine.gpu] == [("NVIDIA T4", "GPU-1234")]


def test_the_id_changes_with_the_machine_and_with_nothing_else(root: Path) -> None:
    first = fingerprint(root).id
    (root / "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor").write_text("performance")

    assert fingerprint(root).id == first
    (root / "etc/machine-id").write_text("another")
    assert fingerprint(root).id != first


def test_no_name_of_host_or_machine_stands_in_the_fingerprint(root: Path) -> None:
    text = str(dataclasses.asdict(fingerprint(root)))

    assert "secret" not in text
    assert platform.node() not in text


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("proc/cpuinfo", "flags : fpu hypervisor\n", "virtual machine"),
        (".dockerenv", "", "container"),
        ("run/.containerenv", "", "container"),
    ],
)
def test_a_virtual_machine_and_a_container_are_known_as_such(
    root: Path, name: str, text: str, expected: str
) -> None:
    (root / name).parent.mkdir(exist_ok=True)
    (root / name).write_text(text)

    assert fingerprint(root).virtualised == expected


def test_the_hypervisor_is_named_where_the_firmware_names_it(root: Path) -> None:
    (root / "proc/cpuinfo").write_text("flags : hypervisor\n")
    vendor = root / "sys/class/dmi/id/sys_vendor"
    vendor.parent.mkdir(parents=True)
    vendor.write_text("QEMU\n")

    assert fingerprint(root).virtualised == "virtual machine (QEMU)"


def test_an_empty_file_system_still_gives_a_fingerprint(tmp_path: Path) -> None:
    machine = fingerprint(tmp_path)

    assert machine.gpu_driver is None
    assert machine.memory_bytes is None
    assert machine.governor is None
    assert machine.turbo is None
    assert foreign_cpu_s(tmp_path) is None


def test_boost_of_other_drivers_is_read_as_turbo(tmp_path: Path) -> None:
    boost = tmp_path / "sys/devices/system/cpu/cpufreq/boost"
    boost.parent.mkdir(parents=True)
    boost.write_text("0\n")

    assert fingerprint(tmp_path).turbo is False


def test_foreign_load_is_the_work_of_all_without_our_own(root: Path) -> None:
    first = foreign_cpu_s(root)
    (root / "proc/stat").write_text("cpu  300 0 100 900 0 0 0 0 0 0\n")
    second = foreign_cpu_s(root)

    assert first is not None
    assert second is not None
    assert second - first == pytest.approx(2, abs=0.2)


def test_the_revision_is_known_inside_a_repository_only(tmp_path: Path) -> None:
    assert git_state(tmp_path) is None
    for arguments in (
        ["init", "-q"],
        ["-c", "user.name=t", "-c", "user.email=t@t", "commit", "-qm", "x", "--allow-empty"],
    ):
        subprocess.run(["git", "-C", tmp_path, *arguments], check=True)

    state = git_state(tmp_path)

    assert state is not None
    assert len(state.commit) == 40
    assert not state.dirty


def test_versions_leave_out_what_is_not_installed() -> None:
    assert list(versions(["pytest", "no-such-distribution"])) == ["pytest"]


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.104.05  Sat Aug 19", "535.104.05"),
        (
            "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  570.86.15  Release",
            "570.86.15",
        ),
        ("something else 1.2", None),
    ],
)
def test_driver_and_microcode_are_read_where_the_kernel_tells_them(
    root: Path, text: str, version: str | None
) -> None:
    (root / "proc/driver/nvidia/version").unlink()
    assert (fingerprint(root).gpu_driver, fingerprint(root).microcode) == (None, None)

    (root / "proc/driver/nvidia/version").write_text(text)
    (root / "proc/cpuinfo").write_text("model name: Some Core\nmicrocode\t: 0xf0\n")

    assert (fingerprint(root).gpu_driver, fingerprint(root).microcode) == (version, "0xf0")
