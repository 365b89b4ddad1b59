"""A cover counts every part of a machine at most once, and has the device that it stands for.

The machine here is a set of parts, and each channel the parts that it counts: what contains what
is not asked of the code under test.
"""

from dataclasses import dataclass
from random import Random

import pytest

from bench.cover import cover
from bench.meter import ONLY, Channel
from bench.quantities import Kind


def channel(id_: str, kind: Kind = Kind.MEASURED, boundary: str = "x") -> Channel:
    domain = "psys" if "psys" in id_ else id_.rpartition("/")[2]
    return Channel(id_, domain, kind, boundary, 0.001, 0.01, None, 100.0, "a test")


@dataclass
class Machine:
    """Sockets with or without dies, DRAM, GPUs each on one socket's module, and the rest."""

    sockets: int
    dies: int
    gpus: int
    modules: bool
    psys_has_gpus: bool
    seat: list[int]

    def of_cpu(self, socket: int, die: int | None = None) -> set[str]:
        dies = range(self.dies) if die is None else [die]
        return {f"s{socket}.{d}.{part}" for d in dies for part in ("core", "uncore", "rest")}

    @property
    def parts(self) -> dict[str, set[str]]:
        """What each channel that such a machine may have counts."""
        found: dict[str, set[str]] = {}
        for s in range(self.sockets):
            found[f"cpu/{s}/package"] = self.of_cpu(s)
            found[f"cpu/{s}/dram"] = {f"dram{s}"}
            if self.dies == 1:
                found[f"cpu/{s}/core"] = {p for p in self.of_cpu(s) if p.endswith("core")}
            else:  # who names dies names their cores by them
                for d in range(self.dies):
                    found[f"cpu/{s}.{d}/package"] = self.of_cpu(s, d)
                    found[f"cpu/{s}.{d}/core"] = {f"s{s}.{d}.core"}
        for g in range(self.gpus):
            found[f"gpu/G{g}/board"] = {f"g{g}.chip", f"g{g}.memory"}
            found[f"gpu/G{g}/memory"] = {f"g{g}.memory"}
        gpus = {p for g in range(self.gpus) for p in found[f"gpu/G{g}/board"]}
        cpus = {p for s in range(self.sockets) for p in self.of_cpu(s) | {f"dram{s}"}}
        if self.modules:
            for s in range(self.sockets):
                own = [found[f"gpu/G{g}/board"] for g in range(self.gpus) if self.seat[g] == s]
                found[f"module/{s}"] = self.of_cpu(s).union({f"dram{s}"}, *own)
        found["board/psys"] = cpus | {"chipset"} | (gpus if self.psys_has_gpus else set())
        found["battery/0"] = cpus | gpus | {"chipset", "display"}
        found["wall/0"] = found["battery/0"] | {"supply"}
        return found


def a_machine(random: Random) -> Machine:
    sockets, gpus = random.randint(1, 2), random.randint(0, 2)
    seat = [random.randrange(sockets) for _ in range(gpus)]
    dies = random.choice([1, 1, 2])
    return Machine(sockets, dies, gpus, random.random() < 0.4, random.random() < 0.5, seat)


def some_of(machine: Machine, random: Random) -> list[Channel]:
    """Some of its channels, in any order, of any kind; modules are read all or none."""
    ids = [id_ for id_ in machine.parts if random.random() < 0.5]
    modules = [id_ for id_ in machine.parts if id_.startswith("module/")]
    ids = [id_ for id_ in ids if id_ not in modules] + (modules if random.random() < 0.5 else [])
    kind_of_modules = random.choice([Kind.MEASURED, Kind.SAMPLED])
    every = {f"cpu/{s}/package" for s in range(machine.sockets)}
    whole = every <= set(ids)
    found = []
    for id_ in random.sample(ids, len(ids)):
        kind = random.choice([Kind.MEASURED, Kind.SAMPLED])
        if id_.startswith("module/"):
            kind = kind_of_modules
        if id_.startswith("cpu/"):
            kind = Kind.MEASURED  # one meter reads them
        if id_ == "wall/0":
            kind = Kind.EXTERNAL
        partial = id_.startswith("cpu/") and not whole
        boundary = f"x of one{ONLY}" if partial else "x"
        routes = random.choice([[id_], [id_], [id_, f"{id_}#other"], [f"{id_}#other", id_]])
        for route in routes:  # a second one may be of any kind
            other = random.choice([Kind.MEASURED, Kind.SAMPLED])
            found.append(channel(route, kind if route == id_ else other, boundary))
    return found


@pytest.mark.parametrize("seed", range(400))
def test_no_part_is_counted_twice_and_the_device_is_in_the_sum(seed: int) -> None:
    random = Random(seed)
    machine = a_machine(random)
    parts, found = machine.parts, some_of(machine, random)
    cpus = {p for s in range(machine.sockets) for p in machine.of_cpu(s)}
    devices = ["cpu", "", *(f"cuda:G{g}" for g in range(machine.gpus))]
    for device in devices:
        chosen = cover(found, device)
        assert not any("#" in id_ for id_ in chosen), (device, chosen)  # all have a first route
        counted = [part for id_ in chosen for part in parts[id_]]
        assert len(counted) == len(set(counted)), (device, chosen)
        if device.startswith("cuda"):
            own = parts[f"gpu/{device.removeprefix('cuda:')}/board"]
            assert not chosen or own <= set(counted), (device, chosen)
            if any(c.id == f"gpu/{device.removeprefix('cuda:')}/board" for c in found):
                assert chosen, device
        else:
            readable = [c for c in found if not c.id.startswith("gpu/")]
            if any(cpus <= parts[c.id.partition("#")[0]] for c in readable):
                assert cpus <= set(counted), (device, chosen, [c.id for c in found])
            assert bool(chosen) == bool(found if device == "" else readable)


def kinds(**found: str) -> list[Channel]:
    return [channel(id_.replace("_", "/"), Kind(kind)) for id_, kind in found.items()]


def test_a_module_is_the_total_where_its_cpu_is_of_a_lesser_kind() -> None:
    grace = kinds(module_0="measured", gpu_G_board="measured", cpu_0_socket="sampled")

    assert cover(grace, "") == ("module/0",)
    assert cover(grace, "cpu") == ("module/0",)
    assert cover(grace, "cuda:G") == ("module/0",)


@pytest.mark.parametrize("others", [{}, {"battery_0": "sampled"}])
def test_a_gpu_is_never_the_total_of_a_command_where_something_reads_the_cpu(
    others: dict[str, str],
) -> None:
    found = kinds(board_psys="measured", gpu_G_board="measured", **others)

    assert cover(found, "") == ("board/psys",)
    assert cover(found, "cuda:G") == ("gpu/G/board",)


def test_a_gpu_alone_is_better_than_nothing_for_a_command_and_nothing_for_a_cpu() -> None:
    found = kinds(gpu_G_board="measured")

    assert cover(found, "") == ("gpu/G/board",)
    assert cover(found, "cpu") == ()


def test_a_meter_on_a_gpu_does_not_take_the_cpu_from_the_total() -> None:
    found = kinds(gpu_G_board="external", cpu_0_package="measured")

    assert cover(found, "") == ("cpu/0/package",)


def test_a_meter_on_the_wall_goes_before_what_is_measured_inside() -> None:
    assert cover(kinds(cpu_0_package="measured", wall_0="external"), "") == ("wall/0",)


def test_a_second_route_of_a_better_kind_is_a_check_and_not_the_total() -> None:
    found = [*kinds(battery_0="sampled"), channel("battery/0#energy")]

    assert cover(found, "") == ("battery/0",)
    assert cover(found[1:], "") == ("battery/0#energy",)


@pytest.mark.failure_mode(15, "any")
def test_a_socket_and_its_dies_are_never_both_summed() -> None:
    dies = [channel("cpu/0.0/package"), channel("cpu/0.1/package")]

    assert cover([dies[0], channel("cpu/0/package")], "cpu") == ("cpu/0/package",)
    assert cover([channel("cpu/0/dram"), channel("cpu/0.0/dram"), *dies], "cpu") == (
        "cpu/0/dram", "cpu/0.0/package", "cpu/0.1/package",
    )  # fmt: skip


def test_psys_does_not_give_way_to_dram_or_to_one_socket_of_two() -> None:
    psys, dram = channel("board/psys"), channel("cpu/0/dram")
    one = channel("cpu/0/package", boundary=f"cpu-package of cpu/0{ONLY}")

    assert cover([psys, dram], "cpu") == ("board/psys",)
    assert cover([psys, one], "cpu") == ("board/psys",)


def test_psys_of_two_packages_is_one_platform() -> None:
    assert cover([channel("board/psys-1"), channel("board/psys")], "cpu") == ("board/psys",)


def test_a_reading_takes_the_place_of_an_estimate_that_has_its_id() -> None:
    estimate = channel("cpu/0/package", Kind.ESTIMATED)
    reading = channel("cpu/0/package#perf")

    assert cover([estimate, reading], "") == ("cpu/0/package#perf",)
    assert cover([estimate], "") == ()
