"""Pruning of single weights and of units: what goes, what stays, and what each level changes."""

import dataclasses
import itertools
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from bench.techniques import (
    _pruning,
    energy_aware_pruning,
    magnitude_pruning,
    optimal_brain_damage,
    structured_pruning,
)
from bench.workload import Variant, Workload
from bench.workloads import digits_mlp

Apply = Callable[..., Variant]
Short = Callable[..., Workload]

TECHNIQUES: tuple[Apply, ...] = (
    magnitude_pruning.apply,
    optimal_brain_damage.apply,
    energy_aware_pruning.apply,
)
NAMES = tuple(apply.__module__.rpartition(".")[2] for apply in TECHNIQUES)
each = pytest.mark.parametrize("apply", TECHNIQUES, ids=NAMES)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workload]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JOULES_CACHE", str(tmp_path_factory.getbasetemp() / "trained"))
        yield digits_mlp.load()


@pytest.fixture
def short(trained: Workload) -> Short:
    """The workload with a short training; by another name each time, so that no stage is shared."""
    names = itertools.count()

    def workload(epochs: int = 1, **context: object) -> Workload:
        changed = dataclasses.replace(trained.context, epochs=epochs, **context)
        name = f"{trained.name}-{id(names)}-{next(names)}"
        return dataclasses.replace(trained, name=name, context=changed)

    return workload


class Product(nn.Module):
    """One layer that is neither linear nor convolutional."""

    def __init__(self) -> None:
        super().__init__()
        self.product = nn.Bilinear(64, 64, 10)

    def forward(self, images: Tensor) -> Tensor:
        output: Tensor = self.product(images, images)
        return output


def weights(model: object) -> list[Tensor]:
    assert isinstance(model, nn.Module)
    return [weight.detach() for weight in _pruning.prunable(model)]


def nonzero(model: object) -> list[int]:
    return [int(weight.count_nonzero()) for weight in weights(model)]


def accuracy(variant: Variant) -> float:
    assert variant.workload.quality is not None
    return variant.workload.quality(variant.model).value


def untrained(model: nn.Module, *shape: int) -> Workload:
    return Workload("mine", model, lambda batch: torch.zeros(batch, *shape))


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("retrain", ["none", "once", "iterative"])
@each
def test_density_is_met_exactly_however_it_is_retrained(
    apply: Apply, retrain: str, short: Short
) -> None:
    variant = apply(short(), density=0.08, retrain=retrain)
    assert sum(nonzero(variant.model)) == round(0.08 * 50_200)
    assert all(nonzero(variant.model))


@each
def test_label_of_iterative_pruning_is_that_of_before_retrain_was_a_level(
    apply: Apply, short: Short
) -> None:
    workload = short()
    usual, once = apply(workload), apply(workload, retrain="once")
    assert usual.label == f"{usual.technique}@density=0.1,form=mask"
    assert once.label == f"{usual.technique}@density=0.1,form=mask,retrain=once"
    assert usual.note == "masked: zeros in dense kernels"
    assert once.note == "masked: zeros in dense kernels; pruned and retrained once"


@each
def test_both_forms_share_one_training_and_each_knows_the_bytes_of_both(
    apply: Apply, short: Short, trained: Workload
) -> None:
    trainings: list[int] = []

    def counted(model: nn.Module, **given: Any) -> None:
        trainings.append(given["epochs"])
        trained.context.train(model, **{**given, "epochs": 1})

    workload = short(epochs=20, train=counted)
    mask, csr = apply(workload, form="mask"), apply(workload, form="csr")
    assert trainings == [step.epochs for step in _pruning.steps(0.1, "iterative", 20)]
    assert mask.sizes == csr.sizes
    assert (mask.size_disk, csr.size_disk) == (mask.sizes["dense"], mask.sizes["csr"])
    assert csr.sizes["csr"] < 0.3 * csr.sizes["dense"]


def test_iterations_remove_the_same_share_of_what_is_left_each_time() -> None:
    plan = _pruning.steps(0.1, "iterative", 30)
    shares = [1.0, *(step.density for step in plan)]
    assert shares[-1] == pytest.approx(0.1)
    factors = [after / before for before, after in itertools.pairwise(shares)]
    assert factors == pytest.approx([factors[0]] * len(plan))
    assert plan[-1].epochs > max(step.epochs for step in plan[:-1])


def test_pruning_once_retrains_at_a_tenth_of_the_rate(short: Short) -> None:
    rates: list[float] = []

    def noted(_model: nn.Module, *, rate: float, **_given: object) -> None:
        rates.append(rate)

    magnitude_pruning.apply(short(train=noted), retrain="once")
    assert rates == [pytest.approx(2e-4)]


def test_one_shot_pruning_of_magnitudes_collapses_and_local_fitting_catches_most_of_it(
    trained: Workload,
) -> None:
    assert trained.quality is not None
    whole = trained.quality(trained.model).value
    one_shot = {"density": 0.08, "retrain": "none"}
    assert accuracy(magnitude_pruning.apply(trained, **one_shot)) < whole - 0.2  # type: ignore[arg-type]
    assert accuracy(energy_aware_pruning.apply(trained, **one_shot)) > whole - 0.05  # type: ignore[arg-type]


def test_magnitudes_of_all_layers_are_compared_with_one_threshold(trained: Workload) -> None:
    model = magnitude_pruning.apply(trained, retrain="none").model
    pairs = list(zip(weights(trained.model), weights(model), strict=True))
    least_kept = min(float(after[after != 0].abs().min()) for _, after in pairs)
    largest_gone = max(float(before[after == 0].abs().max()) for before, after in pairs)
    assert largest_gone <= least_kept


def test_a_layer_of_random_weights_is_pruned_without_any_training() -> None:
    layer = nn.Linear(500, 300)
    variant = magnitude_pruning.apply(
        untrained(layer, 500), density=0.04, form="csr", retrain="none"
    )
    assert variant.sizes["csr"] < 0.1 * variant.sizes["dense"]
    mask = magnitude_pruning.pruned_model(untrained(layer, 500), 0.04, 0, retrain="none")
    assert int(layer.weight.count_nonzero()) == 150_000
    images = drawn(3, 500)
    with torch.inference_mode():
        torch.testing.assert_close(variant.model(images), mask(images), rtol=1e-4, atol=1e-5)


def test_a_grouped_convolution_is_pruned_as_mask_and_has_no_bytes_of_csr() -> None:
    workload = untrained(nn.Sequential(nn.Conv2d(4, 4, 3, groups=2)), 4, 5, 5)
    assert list(magnitude_pruning.apply(workload, retrain="none").sizes) == ["dense"]
    with pytest.raises(TypeError, match="use form='mask'"):
        magnitude_pruning.apply(workload, retrain="none", form="csr")


@pytest.mark.parametrize("model", [lambda images: images, nn.ReLU()])
def test_what_has_no_weights_to_prune_is_refused(model: Any) -> None:
    workload = Workload("mine", model, lambda batch: torch.zeros(batch, 4))
    with pytest.raises(TypeError, match="wanted a torch module with weights of two or more"):
        magnitude_pruning.apply(workload, retrain="none")


@each
def test_unknown_way_of_retraining_is_named_with_those_that_exist(
    apply: Apply, trained: Workload
) -> None:
    with pytest.raises(ValueError, match="retrain is 'twice', wanted one of none, once, iterative"):
        apply(trained, retrain="twice")


@pytest.mark.parametrize("apply", TECHNIQUES[1:], ids=NAMES[1:])
def test_weights_in_a_layer_that_cannot_be_judged_are_refused(apply: Apply, short: Short) -> None:
    workload = dataclasses.replace(short(), model=Product())
    with pytest.raises(TypeError, match="use magnitude_pruning"):
        apply(workload, retrain="none")


@settings(max_examples=50, deadline=None)
@given(st.lists(st.sampled_from([-2.0, -1.0, 0.0, 0.5, 3.0]), min_size=1), st.data())
def test_highest_takes_exactly_as_many_as_asked_and_none_below_one_that_it_leaves(
    values: list[float], data: st.DataObject
) -> None:
    count = data.draw(st.integers(0, len(values)))
    ranks = torch.tensor(values)
    kept = _pruning.highest(ranks, count)
    assert int(kept.sum()) == count
    if 0 < count < len(values):
        assert ranks[kept].min() >= ranks[~kept].max()


def test_weights_that_no_image_reaches_have_no_saliency_and_go_first(short: Short) -> None:
    workload = short()
    dead = workload.context.train_inputs.abs().sum(0) == 0  # (64,)
    assert dead.any()
    first = weights(optimal_brain_damage.apply(workload, density=0.5, retrain="none").model)[0]
    assert not first[:, dead].any()


def test_layer_with_most_modelled_energy_is_cut_most(trained: Workload) -> None:
    model = energy_aware_pruning.apply(trained, density=0.5, retrain="none").model
    left = [
        count / weight.numel() for count, weight in zip(nonzero(model), weights(model), strict=True)
    ]
    assert left[1] == min(left)  # 30,000 weights, against 19,200 and 1,000
    assert left[2] == 1.0


def test_layers_are_cut_beyond_what_accuracy_allows_where_density_asks_for_it(
    short: Short,
) -> None:
    assert nonzero(energy_aware_pruning.apply(short(), density=1e-9, retrain="none").model) == [
        1, 1, 1,
    ]  # fmt: skip


def test_shape_from_scratch_has_other_weights_and_the_epochs_of_both_trainings(
    short: Short, trained: Workload
) -> None:
    epochs: list[int] = []

    def noted(model: nn.Module, **given: Any) -> None:
        epochs.append(given["epochs"])
        trained.context.train(model, **{**given, "epochs": 1})

    workload = short(epochs=7, train=noted)
    pruned = structured_pruning.apply(workload)
    scratch = structured_pruning.apply(workload, start="scratch")
    assert epochs == [7, 14]
    assert (pruned.label, scratch.label) == (
        "structured_pruning@ratio=0.5",
        "structured_pruning@ratio=0.5,start=scratch",
    )
    for one, other in zip(weights(pruned.model), weights(scratch.model), strict=True):
        assert one.shape == other.shape
        assert not torch.equal(one, other)
    assert scratch.sizes == {"dense": scratch.size_disk}
    assert "trained from scratch" in scratch.note


def test_unknown_start_is_named_with_those_that_exist(trained: Workload) -> None:
    with pytest.raises(ValueError, match="start is 'cold', wanted one of pruned, scratch"):
        structured_pruning.apply(trained, start="cold")
