"""The GPU that torch uses is the GPU that a meter reads."""

from types import SimpleNamespace

import pytest

from bench.cover import cover
from bench.device import gpu_identity
from bench.meter import Channel
from bench.quantities import Kind


def board(identity: str) -> Channel:
    return Channel(
        f"gpu/{identity}/board", "gpu", Kind.MEASURED, "gpu-board", 0.001, 0.1, None, 900.0, "test"
    )


def test_an_nvidia_gpu_is_known_by_its_uuid() -> None:
    device = gpu_identity(SimpleNamespace(uuid="11111111-2222"), amd=False)

    assert cover([board("GPU-99999999-0000"), board("GPU-11111111-2222")], device) == (
        "gpu/GPU-11111111-2222/board",
    )


@pytest.mark.failure_mode(21, "any")
def test_a_gpu_whose_identity_no_meter_has_has_no_energy() -> None:
    device = gpu_identity(SimpleNamespace(uuid="11111111-2222"), amd=False)

    assert cover([board("GPU-99999999-0000")], device) == ()


def test_an_amd_gpu_is_known_by_its_pci_address() -> None:
    properties = SimpleNamespace(pci_domain_id=0, pci_bus_id=0xC3, pci_device_id=0)
    device = gpu_identity(properties, amd=True)

    found = [board("0000:03:00.0"), board("0000:c3:00.0")]
    assert cover(found, device) == ("gpu/0000:c3:00.0/board",)
