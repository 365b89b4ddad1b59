"""Whole models: their forms, their weights from everywhere, what judges them, and what refuses."""

import functools
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from whole_nets import NETS, load, logits, module, same_weights

from bench import memory
from bench.catalogue import load_workload, make_variant, make_workload
from bench.refusal import Refusal
from bench.workloads import _pictures, _vision, _whole
from bench.workloads._pictures import Pictures, crops
from bench.workloads._whole import Accuracy, Form, agreement, closeness, form


@pytest.mark.parametrize("name", NETS)
def test_smallest_form_runs_any_batch_and_says_what_it_is(name: str) -> None:
    workload = load(f"{name}:smallest")
    assert workload.name == f"{name}:smallest"
    assert (workload.unit, workload.threads, workload.seeded) == ("image", 1, False)
    assert workload.note == "random weights: speed and energy are valid, accuracy is not"
    assert not module(workload).training
    for count in (1, 3):
        output = logits(workload, count)
        assert output.shape == (count, 10)
        assert output.dtype is torch.float32
        assert output.isfinite().all()
    assert len(workload.inputs(70)) == 70


@pytest.mark.parametrize("name", NETS)
def test_random_weights_are_those_of_their_seed(name: str) -> None:
    state = torch.get_rng_state()
    one = load(f"{name}:smallest")
    again = load_workload(f"{name}:smallest", 0)
    other = load(f"{name}:smallest", 1)
    assert same_weights(module(one), module(again))
    assert not same_weights(module(one), module(other))
    assert torch.equal(one.inputs(4), other.inputs(4))
    assert one.version == again.version != other.version
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("name", NETS)
def test_random_weights_recognise_each_place_and_most_views_of_it(name: str) -> None:
    workload = load(f"{name}:smallest")
    places = Pictures(crops(workload.inputs(1).shape[-1], 10, right=True), *scale_of(name))
    with torch.inference_mode():
        found = workload.model(places.first(10)).argmax(dim=1)
        views = workload.model(workload.inputs(10)).argmax(dim=1)
    assert found.tolist() == [*range(10)]
    assert float((views == found).double().mean()) >= 0.4


def test_what_all_pictures_share_changes_no_answer_of_a_fitted_layer() -> None:
    head = nn.Linear(12, 7)
    places = torch.randn(5, 12, generator=torch.Generator().manual_seed(1)) + 100
    _vision.recognise(nn.Sequential(head), torch.split(places, 2))
    found = head(places)
    assert found.argmax(dim=1).tolist() == [*range(5)]
    assert found.diagonal().tolist() == pytest.approx([1] * 5, abs=1e-3)
    shared = places.mean(dim=0)
    torch.testing.assert_close(head(places + 3 * shared), found, atol=1e-3, rtol=0)


def scale_of(name: str) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    """Mean and deviation of the pictures that a net takes."""
    if name in {"mobilenet-v2", "vit-small"}:
        return _vision.HALF, _vision.HALF
    return _vision.IMAGENET_MEAN, _vision.IMAGENET_DEVIATION


@pytest.mark.parametrize("name", NETS)
def test_model_agrees_with_itself_and_not_with_one_of_other_weights(name: str) -> None:
    workload, other = load(f"{name}:smallest"), load(f"{name}:smallest", 1)
    assert workload.quality is not None
    same, differs = workload.quality(workload.model), workload.quality(other.model)
    assert (same.metric, same.value, same.n) == ("top-1 agreement with fp32", 1.0, 64)
    assert same.target == 0.95
    assert same.holds
    assert same.others == {"cosine": pytest.approx(1.0)}
    assert not differs.holds
    assert differs.others["SQNR, dB"] < 20


def test_whole_nets_have_their_published_number_of_weights() -> None:
    pytest.importorskip("transformers")
    published = {
        "alexnet": 61_100_840,  # torchvision's table
        "vgg16": 138_357_544,
        "resnet18": 11_689_512,
        "resnet50": 25_557_032,
        "mobilenet-v2": 3_504_872,
        "vit-small": 22_050_664,  # timm's table
    }
    found = {name: sum(each.numel() for each in shape_of(name).parameters()) for name in NETS}
    assert found == published


def shape_of(name: str) -> nn.Module:
    """The full model without its weights."""
    made: list[nn.Module] = []

    class Found(Exception):  # noqa: N818 - it ends the search
        pass

    def caught(_: str, build: Callable[[], nn.Module]) -> None:
        with torch.device("meta"):
            made.append(build())
        raise Found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_whole, "require_room", caught)
        with pytest.raises(Found):
            load_workload(name, 0)
    return made[0]


@pytest.mark.parametrize("name", ["alexnet", "resnet18"])
def test_name_says_how_many_threads(name: str) -> None:
    one, two = load(f"{name}:smallest"), load(f"{name}:smallest-2t")
    assert (one.threads, two.threads) == (1, 2)
    assert two.name == f"{name}:smallest-2t"
    assert one.version == two.version


@given(
    part=st.sampled_from(["", "prefill-128", "decode-16"]),
    smallest=st.booleans(),
    threads=st.integers(1, 99),
)
def test_form_is_read_as_it_is_written(part: str, smallest: bool, threads: int) -> None:
    pieces = [part] * bool(part) + ["smallest"] * smallest + [f"{threads}t"] * (threads > 1)
    assert form("net", "-".join(pieces), ("", "prefill-128", "decode-16")) == Form(
        part, smallest, threads
    )


@pytest.mark.parametrize(
    "which", ["tiny", "0t", "100t", "2t-smallest", "smallest-", "-2t", "2t-2t"]
)
def test_form_that_is_not_there_is_refused_with_those_that_are(which: str) -> None:
    with pytest.raises(ValueError, match=r"wanted vgg16, with smallest .* as in vgg16:smallest or"):
        make_workload(f"vgg16:{which}", 0)


def meminfo(path: Path, kilobytes: int) -> Callable[[], int | None]:
    path.write_text(f"MemTotal: 999 kB\nMemAvailable:   {kilobytes} kB\n", encoding="ascii")
    return functools.partial(memory.available_bytes, path)


def test_model_without_room_is_refused_before_it_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    needed = 4 * 138_357_544 * 4  # copies, weights, bytes
    monkeypatch.setattr(memory, "available_bytes", meminfo(tmp_path / "meminfo", needed // 1024))
    monkeypatch.setattr(torch.random, "fork_rng", lambda **_: pytest.fail("it was made"))
    with pytest.raises(Refusal, match=r"vgg16 needs about 2.1 GiB, 2.1 GiB are left; close other"):
        load_workload("vgg16", 0)


def test_model_that_fits_or_whose_room_is_unknown_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny = functools.partial(nn.Linear, 16, 15)  # 255 weights and biases, 1020 bytes
    for kilobytes, fits in ((4, True), (3, False)):
        path = tmp_path / "meminfo"
        with monkeypatch.context() as patch:
            patch.setattr(memory, "available_bytes", meminfo(path, kilobytes))
            if fits:
                _whole.require_room("tiny", tiny)
            else:
                with pytest.raises(Refusal, match="tiny needs about"):
                    _whole.require_room("tiny", tiny)
    monkeypatch.setattr(memory, "available_bytes", lambda: None)
    _whole.require_room("tiny", tiny)


def test_settled_batch_norms_have_the_mean_and_variance_of_what_they_see() -> None:
    norm = nn.BatchNorm2d(2, momentum=0.3)
    model = nn.Sequential(nn.Conv2d(3, 2, 1), norm).eval()
    pictures = [torch.randn(4, 3, 5, 5) * 7 + 2 for _ in range(2)]
    seen = torch.stack([model[0](each) for each in pictures]).detach()  # (2, 4, 2, 5, 5)
    _vision.settle(model, pictures)
    assert norm.momentum == 0.3
    assert not norm.training
    assert norm.running_mean is not None
    torch.testing.assert_close(norm.running_mean, seen.mean(dim=(0, 1, 3, 4)))
    plain = nn.Linear(2, 2)
    _vision.settle(plain, pytest.fail)  # type: ignore[arg-type]  # nothing to look at


def test_judged_and_calibrated_pictures_are_real_and_none_is_there_twice() -> None:
    every = torch.cat([_pictures.judged(32), crops(32, 32, right=False), crops(32, 32, right=True)])
    assert every.shape == (128, 3, 32, 32)
    assert every.dtype is torch.uint8
    assert float(every.float().flatten(1).std(dim=1).min()) > 5
    assert len(torch.unique(every.flatten(1), dim=0)) == 128
    assert torch.equal(crops(32, 4, right=True), crops.__wrapped__(32, 4, right=True))


def test_view_of_a_place_is_more_like_it_than_other_places_are() -> None:
    places, views = crops(16, 32, right=True).double(), _pictures.judged(16).double()
    apart = torch.cdist(views.flatten(1), places.flatten(1)).argmin(dim=1)
    assert float((apart == torch.arange(64) % 32).double().mean()) > 0.9


def test_crops_of_one_side_come_from_that_half(monkeypatch: pytest.MonkeyPatch) -> None:
    halves = torch.zeros(3, 300, 501, dtype=torch.uint8)
    halves[:, :, 251:] = 255
    monkeypatch.setattr(_pictures, "_photographs", lambda: (halves,))
    left = crops.__wrapped__(40, 50, right=False)
    right = crops.__wrapped__(40, 50, right=True)
    assert left.max() == 0
    assert right.min() == 255


def test_calibration_gives_pictures_one_by_one_as_the_model_takes_them() -> None:
    workload = load("alexnet:smallest")
    found = workload.calibration()
    assert len(found) == 32
    assert all(each.shape == workload.inputs(1).shape for each in found)
    judged = {each.numpy().tobytes() for each in workload.inputs(64)}
    assert not judged & {each[0].numpy().tobytes() for each in found}


def test_pictures_are_scaled_by_mean_and_deviation() -> None:
    pixels = torch.tensor([0, 51, 255], dtype=torch.uint8).reshape(1, 3, 1, 1).expand(5, 3, 2, 2)
    pictures = Pictures(pixels, (0.0, 0.1, 0.5), (1.0, 0.1, 0.25), batch=2)
    assert [len(each) for each in pictures] == [2, 2, 1]
    assert pictures.first(1)[0, :, 0, 0].tolist() == pytest.approx([0.0, 1.0, 2.0])
    assert torch.equal(pictures.first(7)[:5], torch.cat(list(pictures)))


def test_agreement_takes_several_inputs_and_several_answers_a_sample() -> None:
    weight = torch.eye(3)[None]

    def model(one: Tensor, other: Tensor) -> Tensor:
        return (one + other)[..., None] * weight  # (n, 3, 3)

    inputs = [(torch.ones(2, 3), torch.ones(2, 3)), (torch.ones(1, 3), torch.zeros(1, 3))]
    judge = agreement(model, inputs, target=0.5, metric="tokens agreed")
    quality = judge(model)
    assert (quality.metric, quality.value, quality.n, quality.target) == (
        "tokens agreed",
        1.0,
        9,
        0.5,
    )


@settings(deadline=None)
@given(seed=st.integers(0, 2**31), noise=st.floats(1e-3, 10))
def test_closeness_is_as_defined(seed: int, noise: float) -> None:
    draw = torch.Generator().manual_seed(seed)
    expected = torch.randn(5, 4, generator=draw)
    error = noise * torch.randn(5, 4, generator=draw)
    found = closeness(expected + error, expected)
    wanted = 20 * np.log10(float(expected.norm()) / float((expected + error - expected).norm()))
    assert found["SQNR, dB"] == pytest.approx(wanted, abs=0.01)
    assert -1.001 <= found["cosine"] <= 1.001
    json.dumps(found, allow_nan=False)


def test_answers_that_overflowed_agree_with_nothing_and_leave_no_number_that_is_none() -> None:
    expected = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    judge = _whole.Agreement([torch.zeros(2)], expected)
    quality = judge(lambda _: torch.tensor([[torch.inf, 0.0], [torch.nan, 1.0]]))
    assert quality.value == 0
    assert quality.others == {}
    silent = judge(lambda _: torch.zeros(2, 2))
    assert silent.others == {"cosine": 0.0, "SQNR, dB": 0.0}


@pytest.mark.parametrize("labels", [None, torch.tensor([0, 1])])
def test_answers_of_another_shape_are_refused(labels: Tensor | None) -> None:
    expected = torch.eye(2)
    inputs = [torch.zeros(2)]
    judge = (
        _whole.Agreement(inputs, expected) if labels is None else Accuracy(inputs, expected, labels)
    )
    with pytest.raises(Refusal, match=r"found answers of shape \(2, 3\), wanted \(2, 2\)"):
        judge(lambda _: torch.zeros(2, 3))


def test_accuracy_wants_99_percent_of_what_fp32_reaches() -> None:
    labels = torch.tensor([0, 1, 2, 0])
    expected = torch.eye(3)[torch.tensor([0, 1, 2, 2])]
    judge = Accuracy([torch.zeros(4)], expected, labels)
    assert judge.reached == 0.75
    quality = judge(lambda _: torch.eye(3)[torch.tensor([0, 1, 2, 1])])
    assert (quality.metric, quality.value, quality.n) == ("top-1 accuracy", 0.75, 4)
    assert quality.target == pytest.approx(0.7425)
    assert quality.others["top-1 agreement with fp32"] == 0.75
    broken = torch.eye(3)[labels]
    broken[0, 0] = torch.inf
    assert judge(lambda _: broken).value == 0.75


def test_suite_of_models_can_make_every_technique_of_them() -> None:
    load("alexnet:smallest")
    variant = make_variant("precision", "alexnet:smallest", dtype="int8")
    assert variant.request is not None
    assert variant.request.dtype == "int8"
    assert len(variant.request.calibration()) == 32


def test_version_tells_facts_apart() -> None:
    assert _whole.version("a", 1) == _whole.version("a", 1) != _whole.version("a", 2)
    assert len(_whole.version("a")) == 12


def test_of_whole_models_only_the_last_is_kept() -> None:
    from bench import catalogue

    first = catalogue.make_workload("resnet18:smallest", 0)
    assert catalogue.make_workload("resnet18:smallest", 0) is first
    catalogue.make_workload("mobilenet-v2:smallest", 0)
    assert [key[0] for key, kept in catalogue._workloads.items() if not kept.seeded] == [
        "mobilenet-v2:smallest"
    ]
