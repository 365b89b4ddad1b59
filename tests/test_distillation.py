"""Distillation: what the student learns from, and that the teacher helps where labels lack."""

import copy
import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from bench.model_facts import facts
from bench.techniques import distillation
from bench.workload import Variant, Workload
from bench.workloads import digits_cnn, digits_mlp

MLP, CNN = digits_mlp.NAME, digits_cnn.NAME

Make = Callable[..., Variant]


@pytest.fixture(scope="session")
def workloads(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Workload]]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JOULES_CACHE", str(tmp_path_factory.getbasetemp() / "trained"))
        yield {MLP: digits_mlp.load(), CNN: digits_cnn.load()}


@pytest.fixture(scope="session")
def make(workloads: dict[str, Workload]) -> Make:
    def variant(name: str, **level: object) -> Variant:
        return distillation.apply(workloads[name], **level)  # type: ignore[arg-type]

    return variant


def accuracy(made: Variant | Workload) -> float:
    workload = made.workload if isinstance(made, Variant) else made
    assert workload.quality is not None
    return workload.quality(made.model).value


def module(made: Variant) -> nn.Module:
    assert isinstance(made.model, nn.Module)
    return made.model


@pytest.mark.parametrize("name", [MLP, CNN])
def test_distilled_student_is_much_smaller_and_reaches_the_target(
    name: str, workloads: dict[str, Workload], make: Make
) -> None:
    workload, variant = workloads[name], make(name)
    small = facts(variant.model, workload.inputs(1)).parameters
    large = facts(workload.model, workload.inputs(1)).parameters
    assert small is not None
    assert small < 0.1 * (large or 0)
    assert accuracy(variant) >= accuracy(workload) - 0.01
    assert "distilled, all labels" in variant.note
    assert variant.label == "distillation@soft=0.9,temperature=4"


def test_student_alone_has_the_same_shape_and_says_so(make: Make) -> None:
    taught, alone = make(MLP), make(MLP, soft=0.0)
    assert "trained alone, all labels" in alone.note
    assert taught.size_disk == alone.size_disk
    assert accuracy(alone) >= 0.94
    pairs = zip(module(taught).parameters(), module(alone).parameters(), strict=True)
    assert not any(torch.equal(one, other) for one, other in pairs)


def test_student_alone_and_distilled_start_from_the_same_weights(
    workloads: dict[str, Workload],
) -> None:
    starts: list[dict[str, Tensor]] = []

    def no_training(model: nn.Module, **_: object) -> None:
        starts.append(copy.deepcopy(model.state_dict()))

    context = dataclasses.replace(workloads[MLP].context, train=no_training)
    untrained = dataclasses.replace(workloads[MLP], name="untrained", context=context)
    distillation.apply(untrained, soft=0.9)
    distillation.apply(untrained, soft=0.0)
    one, other = starts
    assert all(torch.equal(one[key], other[key]) for key in one)


def test_loss_without_teacher_is_cross_entropy_on_the_labels(
    workloads: dict[str, Workload],
) -> None:
    losses: dict[float, Tensor] = {}
    inputs, labels = workloads[MLP].context.train_inputs, workloads[MLP].context.train_labels
    rows = torch.arange(8)
    same = workloads[MLP].model(inputs[rows]).detach()
    for soft in (0.0, 1.0):

        def one_loss(model: nn.Module, *, key: float = soft, loss: object, **_: object) -> None:
            assert callable(loss)
            losses[key] = loss(same, rows)

        context = dataclasses.replace(workloads[MLP].context, train=one_loss)
        mine = dataclasses.replace(workloads[MLP], name="lossy", context=context)
        distillation.apply(mine, soft=soft)
    reference = nn.functional.cross_entropy(same, labels[rows])
    torch.testing.assert_close(losses[0.0], reference)
    assert float(losses[1.0]) == pytest.approx(0.0, abs=1e-5)


@pytest.mark.parametrize(
    ("level", "message"),
    [
        ({"temperature": 0.0}, "temperature is 0.0, wanted above 0"),
        ({"soft": 1.1}, "soft is 1.1, wanted 0 to 1"),
        ({"soft": -0.1}, "soft is -0.1, wanted 0 to 1"),
        ({"labels": 0}, "labels is 0, wanted 'all' or a number up to 1257"),
        ({"labels": 1258}, "labels is 1258, wanted 'all'"),
        ({"labels": "some"}, "labels is 'some', wanted 'all'"),
        ({"teacher": "me"}, "teacher is 'me', wanted one of baseline, wide, narrow"),
    ],
)
def test_distillation_names_the_level_it_cannot_take(
    level: dict[str, Any], message: str, workloads: dict[str, Workload]
) -> None:
    with pytest.raises(ValueError, match=message):
        distillation.apply(workloads[MLP], **level)


def test_with_100_labels_the_teachers_answers_on_the_rest_are_worth_points(make: Make) -> None:
    taught, alone = make(MLP, labels=100), make(MLP, labels=100, soft=0.0)
    assert accuracy(taught) >= accuracy(alone) + 0.03
    assert "distilled, 100 labels" in taught.note
    assert taught.label == "distillation@labels=100,soft=0.9,temperature=4"


def test_few_labels_are_as_many_of_each_class_and_drawn_from_the_seed() -> None:
    labels = torch.arange(10).repeat(20)
    known = distillation._labelled(labels, 50, 3)
    assert labels[known].bincount().tolist() == [5] * 10
    assert not torch.equal(known, distillation._labelled(labels, 50, 4))
    assert torch.equal(known, distillation._labelled(labels, 50, 3))


def test_without_teacher_few_labels_are_seen_as_often_as_all_images(
    workloads: dict[str, Workload],
) -> None:
    seen: list[tuple[int, int]] = []

    def counted(_: nn.Module, *, epochs: int, rows: Tensor | None, **__: object) -> None:
        images = workloads[MLP].context.train_labels
        seen.append((epochs, len(images) if rows is None else len(rows)))

    context = dataclasses.replace(workloads[MLP].context, train=counted)
    mine = dataclasses.replace(workloads[MLP], name="counted", context=context)
    for labels in ("all", 100):
        distillation.apply(mine, soft=0.0, labels=labels)
    (epochs, images), (more, fewer) = seen
    assert fewer == 100
    assert epochs * images == pytest.approx(more * fewer, rel=0.01)


def test_images_without_label_are_left_out_of_the_hard_loss(
    workloads: dict[str, Workload],
) -> None:
    found: list[Tensor] = []
    train_inputs, train_labels = (
        workloads[MLP].context.train_inputs, workloads[MLP].context.train_labels,
    )  # fmt: skip
    known = distillation._labelled(train_labels, 100, 0)
    rows = torch.cat([known.nonzero()[:4, 0], (~known).nonzero()[:4, 0]])
    logits = torch.randn(8, 10, generator=torch.Generator().manual_seed(0))

    def one_loss(_: nn.Module, *, loss: Any, **__: object) -> None:
        found.append(loss(logits, rows))

    context = dataclasses.replace(workloads[MLP].context, train=one_loss)
    mine = dataclasses.replace(workloads[MLP], name="halved", context=context)
    distillation.apply(mine, soft=0.5, labels=100, temperature=2.0)

    with torch.inference_mode():
        teacher = workloads[MLP].model(train_inputs[rows])
    soft = nn.functional.kl_div(
        (logits / 2).log_softmax(1), (teacher / 2).softmax(1), reduction="batchmean"
    )
    hard = nn.functional.cross_entropy(logits[:4], train_labels[rows[:4]])
    torch.testing.assert_close(found[0], 0.5 * 4 * soft + 0.5 * hard)


@pytest.mark.parametrize(("teacher", "first"), [("wide", 600), ("narrow", 150)])
def test_another_teacher_has_other_widths_and_is_trained_as_the_baseline_is(
    teacher: str, first: int, workloads: dict[str, Workload]
) -> None:
    trained: list[tuple[int, int]] = []

    def noted(model: nn.Sequential, *, epochs: int, **_: object) -> None:
        trained.append((model[0].out_features, epochs))  # type: ignore[arg-type]

    context = dataclasses.replace(workloads[MLP].context, train=noted)
    mine = dataclasses.replace(workloads[MLP], name=f"taught-{teacher}", context=context)
    variant = distillation.apply(mine, teacher=teacher)
    assert trained == [(first, context.epochs), (32, 2 * context.epochs)]
    assert f"{teacher} teacher" in variant.note
