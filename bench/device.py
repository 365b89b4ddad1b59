"""Which device is meant, by the name under which its meter knows it."""

from typing import Any


def device_id(device: str) -> str:
    """``cuda:<identity>`` for a GPU, as its meter names it; the name itself for a CPU.

    NVML knows GPUs by UUID, the meters of AMD's by PCI address.

    Raises:
        ValueError: The device is unknown or not there.
    """
    if device == "cpu":
        return device
    import torch

    from bench.runtimes.eager import torch_device

    where = torch_device(device, torch.cuda.device_count())
    properties = torch.cuda.get_device_properties(where)
    return gpu_identity(properties, amd=torch.version.hip is not None)


def gpu_identity(properties: Any, *, amd: bool) -> str:  # noqa: ANN401 - torch's type is private
    """``cuda:GPU-<uuid>``, or ``cuda:<PCI address>`` for a GPU that ROCm drives.

    Args:
        properties: What `torch.cuda.get_device_properties` gives.
        amd: Whether torch was built for ROCm.
    """
    if not amd:
        return f"cuda:GPU-{properties.uuid}"
    domain, bus = properties.pci_domain_id, properties.pci_bus_id
    return f"cuda:{domain:04x}:{bus:02x}:{properties.pci_device_id:02x}.0"


def peak_cuda(device: str) -> dict[str, int]:
    """Most bytes that torch held on a GPU since it was last asked, as ``cuda``; none for a CPU."""
    if not device.startswith("cuda"):
        return {}
    import torch

    peak = torch.cuda.max_memory_allocated(device)
    torch.cuda.reset_peak_memory_stats(device)
    return {"cuda": peak}
