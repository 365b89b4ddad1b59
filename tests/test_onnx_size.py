"""The size of a model in ONNX: of what exports, where the libraries are, and without a sound."""

import logging
import warnings
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from bench import onnx_size
from bench.description import describe
from bench.judge import Judge
from bench.onnx_export import is_installed
from bench.onnx_size import PROFILES, OnnxSizes, onnx_bytes
from bench.workload import Case, Workload, baseline_of


class Exporter:
    """Stands for `torch.onnx.export`: as loud as that one, and as often asked."""

    def __init__(self, *, fails: bool = False) -> None:
        self.asked: list[Any] = []
        self.fails = fails

    def __call__(self, model: Any, arguments: Any, **how: Any) -> Any:
        self.asked.append((model, arguments, how["kwargs"]))
        warnings.warn("a private field is deprecated", FutureWarning, stacklevel=1)
        logging.getLogger("torch.onnx").warning("torchvision is not installed")
        if self.fails:
            raise RuntimeError("no ONNX function found for aten.addmv on a sparse tensor")
        return SimpleNamespace(model_proto=SimpleNamespace(SerializeToString=lambda: b"x" * 321))


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> Exporter:
    exporter = Exporter()
    monkeypatch.setattr(onnx_size, "is_installed", lambda name: True)
    monkeypatch.setattr(torch.onnx, "export", exporter)
    return exporter


def test_a_model_that_exports_has_the_bytes_of_the_file_and_nobody_hears_of_it(
    installed: Exporter, caplog: pytest.LogCaptureFixture
) -> None:
    model = torch.nn.Linear(2, 2)

    assert onnx_bytes(model, torch.rand(1, 2)) == 321
    assert onnx_bytes(model, {"input": torch.rand(1, 2)}) == 321
    assert caplog.text == ""
    assert logging.root.manager.disable == 0
    ((one, arguments, named), (_, nothing, keywords)) = installed.asked
    assert one is not model  # a copy, which an exporter may change
    assert len(arguments) == 1
    assert named is None
    assert nothing == ()
    assert list(keywords) == ["input"]


def test_a_model_that_does_not_export_has_none_and_nobody_hears_of_it_either(
    installed: Exporter, caplog: pytest.LogCaptureFixture
) -> None:
    installed.fails = True

    assert onnx_bytes(torch.nn.Linear(2, 2), torch.rand(1, 2)) is None
    assert caplog.text == ""
    assert logging.root.manager.disable == 0


def test_without_the_libraries_nothing_is_exported(
    installed: Exporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(onnx_size, "is_installed", lambda name: name != "onnxscript")

    assert onnx_bytes(torch.nn.Linear(2, 2), torch.rand(1, 2)) is None
    assert installed.asked == []


def test_a_library_is_installed_if_it_can_be_found() -> None:
    assert is_installed("torch")
    assert not is_installed("no_such_library_of_ours")


def test_a_callable_that_is_no_module_is_not_exported(installed: Exporter) -> None:
    assert onnx_bytes(len, ()) is None
    assert installed.asked == []


def test_a_model_is_exported_once_in_a_session_whatever_its_batch(installed: Exporter) -> None:
    sizes, model, other = OnnxSizes(), torch.nn.Linear(2, 2), torch.nn.Linear(2, 2)

    assert sizes(model, torch.rand(1, 2)) == sizes(model, torch.rand(64, 2)) == 321
    assert len(installed.asked) == 1
    assert sizes(other, torch.rand(1, 2)) == 321
    assert len(installed.asked) == 2


def test_the_record_of_a_case_has_the_size_only_where_it_was_asked_for(
    installed: Exporter,
) -> None:
    model = torch.nn.Linear(2, 2)
    variant = baseline_of(Workload("w", model, lambda n: torch.rand(n, 2)))
    case, inputs = Case("w", "baseline", "eager", "cpu", 2), torch.rand(2, 2)

    with_it = describe(variant, case, inputs, "", Judge(), onnx=OnnxSizes())
    without = describe(variant, case, inputs, "", Judge())

    assert with_it.size_bytes["onnx"] == 321
    assert "onnx" not in without.size_bytes
    assert without.size_bytes["dense"] == without.size_bytes["baseline"] == 4 * 6
    assert without.bytes_moved == (4 * 6 + 4 * 8) // 2


def test_only_the_full_profile_takes_the_time_to_export() -> None:
    assert {"full"} == PROFILES


def test_a_real_export_holds_the_weights_and_a_little_more() -> None:
    pytest.importorskip("onnx")
    pytest.importorskip("onnxscript")
    model = torch.nn.Sequential(torch.nn.Linear(64, 32), torch.nn.ReLU(), torch.nn.Linear(32, 4))
    weights = 4 * sum(parameter.numel() for parameter in model.parameters())

    size = onnx_bytes(model, torch.rand(1, 64))

    assert size is not None
    assert weights < size < weights + 10_000
