"""The digit workloads: the same everywhere, good enough, and cached without trust."""

import dataclasses
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import nn

from bench import discover
from bench.workload import Workload
from bench.workloads import _digits, _weights_cache, digits_cnn, digits_mlp

LOADS = {digits_mlp.NAME: digits_mlp.load, digits_cnn.NAME: digits_cnn.load}


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.getbasetemp() / "trained"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JOULES_CACHE", str(folder))
        yield folder


@pytest.fixture(scope="session")
def workloads(cache: Path) -> dict[str, Workload]:
    return {name: load() for name, load in LOADS.items()}


@pytest.fixture(scope="session", params=sorted(LOADS))
def workload(request: pytest.FixtureRequest, workloads: dict[str, Workload]) -> Workload:
    return workloads[request.param]


def module(workload: Workload) -> nn.Module:
    assert isinstance(workload.model, nn.Module)
    return workload.model


def same_weights(one: nn.Module, other: nn.Module) -> bool:
    pairs = zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


def test_baseline_is_right_on_97_percent_of_540_test_images(workload: Workload) -> None:
    assert workload.quality is not None
    quality = workload.quality(workload.model)
    assert quality.value >= 0.97
    assert quality.n == 540
    assert quality.metric == "test accuracy"
    assert quality.holds


def test_target_is_one_point_below_the_accuracy_of_the_baseline(workload: Workload) -> None:
    assert workload.quality is not None
    quality = workload.quality(workload.model)
    assert quality.target == pytest.approx(quality.value - 0.01)


def test_quality_judges_any_callable_that_gives_logits(workload: Workload) -> None:
    assert workload.quality is not None

    def always_zero(images: torch.Tensor) -> list[list[float]]:
        return [[1.0] + [0.0] * 9] * len(images)

    quality = workload.quality(always_zero)
    assert quality.value == pytest.approx(0.1, abs=0.01)
    assert not quality.holds


def test_inputs_are_the_first_test_images_scaled_to_one(workload: Workload) -> None:
    images = workload.inputs(540)
    assert images.dtype == torch.float32
    assert (float(images.min()), float(images.max())) == (0.0, 1.0)
    assert torch.equal(images[:3], workload.inputs(3))


def test_inputs_beyond_the_test_images_start_over(workload: Workload) -> None:
    images = workload.inputs(543)
    assert len(images) == 543
    assert torch.equal(images[540:], images[:3])


def test_split_is_stratified_with_1257_images_to_train_on(workloads: dict[str, Workload]) -> None:
    data = _digits.digits((64,))
    assert (len(data.train_labels), len(data.test_labels)) == (1257, 540)
    shares = data.test_labels.bincount() / (
        data.test_labels.bincount() + data.train_labels.bincount()
    )
    assert shares.min() > 0.29
    assert shares.max() < 0.31


def test_training_and_test_images_have_none_in_common(workloads: dict[str, Workload]) -> None:
    data = _digits.digits((64,))
    train = {image.numpy().tobytes() for image in data.train_inputs}
    assert not train & {image.numpy().tobytes() for image in data.test_inputs}


def test_workload_says_its_name_unit_threads_and_version(workloads: dict[str, Workload]) -> None:
    for name, workload in workloads.items():
        assert (workload.name, workload.unit, workload.threads) == (name, "image", 1)
        assert len(workload.version) == 12
    assert len({workload.version for workload in workloads.values()}) == len(workloads)


def test_cached_weights_are_those_that_were_trained_bit_for_bit(
    workload: Workload, cache: Path
) -> None:
    files = {file: file.read_bytes() for file in cache.glob(f"{workload.name}-*")}
    again = LOADS[workload.name]()
    assert same_weights(module(workload), module(again))
    assert again.model is not workload.model
    assert again.version == workload.version
    assert {file: file.read_bytes() for file in cache.glob(f"{workload.name}-*")} == files
    assert len(files) == 1


def test_corrupt_cache_is_retrained_to_the_same_file(
    workloads: dict[str, Workload], cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (file,) = cache.glob("digits-mlp-*")
    content = file.read_bytes()
    flipped = bytearray(content)
    flipped[-2] ^= 0x40  # the exponent of the last weight
    (tmp_path / file.name).write_bytes(flipped)
    monkeypatch.setenv("JOULES_CACHE", str(tmp_path))
    retrained = digits_mlp.load()
    assert same_weights(module(retrained), module(workloads["digits-mlp"]))
    assert (tmp_path / file.name).read_bytes() == content


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda content: content[:-5], id="truncated"),
        pytest.param(lambda content: b"", id="empty"),
        pytest.param(lambda content: b"not weights at all", id="garbage"),
        pytest.param(lambda content: content[:-1] + b"\x7f", id="one byte changed"),
        pytest.param(lambda content: content.replace(b"sha256", b"sha255"), id="no digest"),
    ],
)
def test_damaged_file_of_weights_counts_as_none(
    damage: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JOULES_CACHE", str(tmp_path))
    _weights_cache.save_weights("tiny", nn.Linear(2, 2))
    file = tmp_path / "tiny.safetensors"
    model = nn.Linear(2, 2)
    assert _weights_cache.load_weights("tiny", model)
    assert callable(damage)
    file.write_bytes(damage(file.read_bytes()))
    before = model.weight.detach().clone()
    assert not _weights_cache.load_weights("tiny", model)
    assert torch.equal(model.weight, before)


def test_weights_of_another_shape_count_as_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JOULES_CACHE", str(tmp_path))
    _weights_cache.save_weights("tiny", nn.Linear(2, 2))
    assert not _weights_cache.load_weights("tiny", nn.Linear(3, 2))


def test_folder_that_cannot_be_written_costs_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("JOULES_CACHE", str(tmp_path / "file"))
    _weights_cache.save_weights("tiny", nn.Linear(2, 2))
    assert not _weights_cache.load_weights("tiny", nn.Linear(2, 2))


def test_saving_leaves_one_file_and_no_half_written_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JOULES_CACHE", str(tmp_path))
    _weights_cache.save_weights("tiny", nn.Linear(2, 2))
    _weights_cache.save_weights("tiny", nn.Linear(2, 2))
    assert [file.name for file in tmp_path.iterdir()] == ["tiny.safetensors"]


def test_weights_are_kept_in_the_folder_of_the_user_unless_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("JOULES_CACHE", raising=False)
    assert _weights_cache.cache_folder().name == "joulebench"
    monkeypatch.setenv("JOULES_CACHE", "/elsewhere")
    assert _weights_cache.cache_folder() == Path("/elsewhere")


def test_seeded_block_leaves_random_state_and_threads_as_they_were() -> None:
    state, threads = torch.get_rng_state(), torch.get_num_threads()
    with _digits.seeded(7):
        first = torch.rand(3)
        assert torch.get_num_threads() == 1
    with _digits.seeded(7):
        assert torch.equal(torch.rand(3), first)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.get_num_threads() == threads


def test_builder_gives_the_same_initial_weights_for_the_same_seed(workload: Workload) -> None:
    build, student = workload.context.build, workload.context.student
    assert same_weights(build(student, seed=3), build(student, seed=3))
    assert not same_weights(build(student, seed=3), build(student, seed=4))


def test_model_that_stays_below_97_percent_is_refused_with_its_accuracy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from bench.workloads._digits_models import LeNet300100

    monkeypatch.setenv("JOULES_CACHE", str(tmp_path))
    with pytest.raises(RuntimeError, match=r"tiny with seed 5 reaches 0\.\d+ .* take another seed"):
        _digits.digits_workload(
            "tiny", LeNet300100, shape=(64,), widths=(2, 2), student=(2, 2), epochs=1, seed=5
        )


def test_context_stays_out_of_what_makes_two_workloads_equal(workload: Workload) -> None:
    assert dataclasses.replace(workload, context=None) == workload


def test_importing_any_plug_in_imports_no_heavy_library() -> None:
    script = (
        "import sys\n"
        "from bench import discover, model_facts\n"
        "broken = []\n"
        "for folder, name in (('workloads', 'load'), ('techniques', 'apply'), "
        "('runtimes', 'prepare')):\n"
        "    broken += discover.plugins(f'bench.{folder}', name)[1]\n"
        "heavy = {'torch', 'sklearn', 'torch_pruning', 'safetensors', 'platformdirs', 'numpy'}\n"
        "print(broken, heavy & set(sys.modules))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[] set()\n"


def test_workloads_are_found_by_their_load_function() -> None:
    found, broken = discover.plugins("bench.workloads", "load")
    assert found["digits_mlp"].target is digits_mlp.load
    assert not broken
