"""MLflow and Weights & Biases: their clients write offline, and their readers read it back."""

import json
import struct
import sys
from collections.abc import Iterator
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from export_journals import IDLE_W, of_cpu, of_power_model, saved, store
from journals import a_case, a_journal, an_idle, package, save

from bench.cli import main
from bench.compare import compare
from bench.exports._metrics import metrics
from bench.quantities import Quantity
from bench.records import Journal

BASE = "joules/digits/baseline/eager/cpu/b1"
ENERGY = f"{BASE}/measured-cpu-package/mj_per_sample"


def two_cases(folder: Path) -> Journal:
    """A baseline of 10, 12 mJ/image and one of 5 mJ/image."""
    pairs = [(package(0.010), package(0.012))] * 2
    other = [(package(0.010), package(0.005, 0.0005))] * 2
    return saved(
        a_journal([(a_case(), pairs), (a_case("student"), other)], idle=(an_idle(IDLE_W),)), folder
    )


def test_metrics_are_the_numbers_of_the_comparison_in_millijoules(tmp_path: Path) -> None:
    journal = saved(of_cpu(), tmp_path)
    (table,) = compare([journal])
    values = metrics([table]).values

    assert isinstance(table.rows[0].energy, Quantity)
    assert values[ENERGY] == 1e3 * table.rows[0].energy.value == pytest.approx(10.0)
    assert values[f"{BASE}/ms_per_sample"] == pytest.approx(1.0)
    assert values["joules/digits/csr/eager/cpu/b1/measured-cpu-package/energy_ratio"] < 2.1


def test_metrics_have_the_ends_of_the_interval_and_the_power(tmp_path: Path) -> None:
    journal = two_cases(tmp_path)
    (table,) = compare([journal])
    values, energy = metrics([table]).values, table.rows[0].energy

    assert isinstance(energy, Quantity)
    assert energy.low < energy.value < energy.high
    assert values[f"{ENERGY}_low"] == pytest.approx(1e3 * energy.low)
    assert values[f"{ENERGY}_high"] == pytest.approx(1e3 * energy.high)
    assert values[ENERGY.replace("mj_per_sample", "watts")] == pytest.approx(11.0)


def test_an_estimate_is_no_metric() -> None:
    found = metrics(compare([of_power_model()]))

    assert all(name.endswith(("ms_per_sample", "time_ratio")) for name in found.values)
    assert len(found.left_out) == 2
    assert found.left_out[0].reason.startswith("no metric of energy: ")


class Client:
    """As much of MLflow's client as an export calls; its store is this object."""

    store: dict[str, Any] = {}  # noqa: RUF012 - each test empties it

    def __init__(self, uri: str) -> None:
        self.store.setdefault("uri", uri)

    def get_experiment_by_name(self, name: str) -> Any:
        found = self.store.get("experiment")
        return SimpleNamespace(experiment_id="7") if found == name else None

    def create_experiment(self, name: str, artifact_location: str) -> str:
        self.store.update(experiment=name, artifacts=artifact_location)
        return "7"

    def search_runs(self, experiments: list[str], wanted: str) -> list[Any]:
        key = self.store.get("tags", {}).get("joulebench.key")
        return [self.run()] if wanted == f"tags.`joulebench.key` = '{key}'" else []

    def create_run(self, experiment: str, start: int, tags: dict[str, str], run_name: str) -> Any:
        self.store.update(start=start, tags=tags, name=run_name, metrics={}, files=[])
        return self.run()

    def run(self) -> Any:
        return SimpleNamespace(info=SimpleNamespace(run_id="r"))

    def log_batch(self, run: str, metrics: list[Any]) -> None:
        assert len(metrics) <= 1000
        self.store["metrics"].update({each[0]: each[1] for each in metrics})

    def log_artifact(self, run: str, path: str) -> None:
        self.store["files"].append(path)

    def set_terminated(self, run: str, end_time: int | None) -> None:
        self.store["end"] = end_time


def standing_in(monkeypatch: pytest.MonkeyPatch, name: str, **members: object) -> None:
    """A module of that name, in place of the one that may be installed."""
    module = ModuleType(name)
    module.__spec__ = ModuleSpec(name, None)
    vars(module).update(members)
    monkeypatch.setitem(sys.modules, name, module)


def test_mlflow_s_client_gets_each_number_once_with_the_journal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    store: dict[str, Any] = {}
    monkeypatch.setattr(Client, "store", store)
    standing_in(monkeypatch, "mlflow")
    standing_in(monkeypatch, "mlflow.tracking", MlflowClient=Client)
    standing_in(monkeypatch, "mlflow.entities", Metric=lambda *values: values)
    journal = two_cases(tmp_path)
    call = ["export", str(journal.path), "--to", "mlflow", "-o", str(tmp_path / "store")]

    assert main(call) == 0
    assert store["uri"] == f"sqlite:///{tmp_path}/store/mlflow.db"
    assert store["metrics"] == metrics(compare([journal])).values
    assert store["files"] == [str(journal.path)]
    assert store["end"] - store["start"] == 177_000
    assert store["tags"]["joulebench.commit"] == "1a2b3c4d5e6f"
    store["metrics"] = {}
    assert main(call) == 0
    assert store["metrics"] == {}
    assert "run r has it already" in capsys.readouterr().out


def test_wandb_s_client_gets_each_number_once_with_the_journal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    told: dict[str, Any] = {"files": [], "metrics": {}}
    artifact = SimpleNamespace(add_file=told["files"].append)
    run = SimpleNamespace(
        dir=str(tmp_path / "offline-run/files"),
        log=told["metrics"].update,
        log_artifact=lambda each: told.update(artifact=each),
        finish=lambda: told.update(finished=True),
    )

    def init(**given: Any) -> Any:
        told.update(given)
        return run

    standing_in(
        monkeypatch, "wandb", init=init, Settings=dict, Artifact=lambda *names, **kinds: artifact
    )
    journal = two_cases(tmp_path)

    assert main(["export", str(journal.path), "--to", "wandb", "-o", str(tmp_path / "w")]) == 0
    assert (told["mode"], told["dir"]) == ("offline", str(tmp_path / "w"))
    assert told["id"] == journal.path.stem
    assert told["metrics"] == metrics(compare([journal])).values
    assert told["files"] == [str(journal.path)]
    assert told["artifact"] is artifact
    assert told["finished"]
    assert f"wandb sync {tmp_path}/offline-run" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["mlflow", "wandb"])
def test_a_journal_without_a_number_makes_no_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    standing_in(monkeypatch, name)
    standing_in(monkeypatch, "mlflow.tracking", MlflowClient=Client)
    journal = a_journal([(a_case(), [])])

    assert store(name).log(compare([journal]), tmp_path / "x").runs == ()
    assert not (tmp_path / "x").exists()


@pytest.mark.filterwarnings("ignore")  # its own libraries deprecate each other
def test_mlflow_reads_back_what_was_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("mlflow")
    from mlflow.tracking import MlflowClient

    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    journal = two_cases(tmp_path)
    folder = tmp_path / "store"

    assert main(["export", str(journal.path), "--to", "mlflow", "-o", str(folder)]) == 0
    assert main(["export", str(journal.path), "--to", "mlflow", "-o", str(folder)]) == 0
    assert "has it already" in capsys.readouterr().out

    client: Any = MlflowClient(f"sqlite:///{folder}/mlflow.db")
    experiment = client.get_experiment_by_name("joulebench")
    (run,) = client.search_runs([experiment.experiment_id])
    assert run.data.metrics == pytest.approx(metrics(compare([journal])).values)
    assert run.data.metrics[ENERGY] == pytest.approx(11.0)
    assert run.data.tags["joulebench.machine"] == "0123456789ab"
    assert run.info.status == "FINISHED"
    assert (run.info.end_time - run.info.start_time) == 177_000
    (artifact,) = client.list_artifacts(run.info.run_id)
    assert artifact.path == journal.path.name
    there = Path(client.download_artifacts(run.info.run_id, artifact.path, str(tmp_path)))
    assert there.read_bytes() == journal.path.read_bytes()


@pytest.mark.filterwarnings("ignore")
def test_an_offline_run_of_wandb_holds_what_was_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("wandb")
    for name in ("WANDB_CONFIG_DIR", "WANDB_CACHE_DIR", "WANDB_DATA_DIR"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
    journal = two_cases(tmp_path)
    folder = tmp_path / "offline"

    assert main(["export", str(journal.path), "--to", "wandb", "-o", str(folder)]) == 0
    assert "send it with: wandb sync" in capsys.readouterr().out

    (log,) = folder.rglob("run-*.wandb")
    values, artifacts = read_wandb(log)
    assert values == pytest.approx(metrics(compare([journal])).values)
    assert artifacts == [journal.path.name]


def read_wandb(log: Path) -> tuple[dict[str, float], list[str]]:
    """Metrics and names of artifacts of a run's log: W&B's own records, in LevelDB's framing."""
    from wandb.proto import wandb_internal_pb2

    found: dict[str, float] = {}
    artifacts: list[str] = []
    for data in framed(log.read_bytes()):
        record: Any = wandb_internal_pb2.Record()
        record.ParseFromString(data)
        for item in record.history.item:
            name = item.key or "/".join(item.nested_key)
            if not name.startswith("_"):
                found[name] = json.loads(item.value_json)
        if record.WhichOneof("record_type") == "artifact":
            artifacts += [entry.path for entry in record.artifact.manifest.contents]
    return found, artifacts


def framed(data: bytes) -> Iterator[bytes]:
    """The records of a log in blocks of 32 KiB, each piece with checksum, length and type."""
    assert data.startswith(b":W&B")
    at, whole = 7, b""
    while at + 7 <= len(data):
        if 32768 - at % 32768 < 7:  # what is left of a block is too short for a head
            at += 32768 - at % 32768
            continue
        _, length, type_ = struct.unpack("<IHB", data[at : at + 7])
        whole += data[at + 7 : at + 7 + length]
        at += 7 + length
        if type_ in {1, 4}:  # all of it, or its last piece
            yield whole
            whole = b""


@pytest.mark.parametrize("name", ["mlflow", "wandb"])
def test_a_store_is_a_folder_and_prints_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    path = save(of_cpu(), tmp_path)

    assert main(["export", str(path), "--to", name, "-o", "-"]) == 2
    assert "give a folder" in capsys.readouterr().err
    assert store(name).suffix == f".{name}"
