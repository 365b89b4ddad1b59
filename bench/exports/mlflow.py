"""Runs of MLflow, by its own client, into a local store: nothing is sent.

The folder holds ``mlflow.db`` and the artifacts; look at it with
``mlflow ui --backend-store-uri sqlite:///FOLDER/mlflow.db``. A journal that is in the store already
is not logged again.
"""

import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.compare import Table
from bench.export_format import Logged, StoreFormat, utf8_text
from bench.exports._metrics import context, metrics
from bench.refusal import installed

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

_EXPERIMENT = "joulebench"
_AT_ONCE = 500
"""Metrics of one call; MLflow takes 1 000."""


def _log(tables: Sequence[Table], folder: Path) -> Logged:
    installed("mlflow", "mlflow")
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # an export sends nothing anywhere
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")  # that it makes tables is no news
    from mlflow.tracking import MlflowClient

    journal = tables[0].journal
    found = metrics(tables)
    if not found.values:
        return Logged((), found.left_out)
    folder.mkdir(parents=True, exist_ok=True)
    client = MlflowClient(f"sqlite:///{folder.resolve()}/mlflow.db")
    experiment = _experiment(client, folder)
    key = sha256(repr((journal.run.run_id, journal.run.started)).encode()).hexdigest()
    known = client.search_runs([experiment], f"tags.`{_KEY}` = '{key}'")
    if known:
        return Logged((f"run {known[0].info.run_id} has it already",), found.left_out)
    start = _milliseconds(journal.run.started)
    told = {name: utf8_text(value)[:_LONGEST_TAG] for name, value in context(tables[0]).items()}
    tags = {**told, _KEY: key}
    run = client.create_run(experiment, start, tags, run_name=utf8_text(journal.path.stem))
    _put(client, run.info.run_id, found.values, start)
    client.log_artifact(run.info.run_id, str(journal.path))
    end = _milliseconds(journal.end.finished) if journal.end else None
    client.set_terminated(run.info.run_id, end_time=end)
    return Logged((f"run {run.info.run_id}: {len(found.values)} metrics",), found.left_out)


_LONGEST_TAG = 5000
_KEY = "joulebench.key"
"""Tag by which a journal is known again: a hash, for a filter takes any other text apart."""


def _experiment(client: "MlflowClient", folder: Path) -> str:
    found = client.get_experiment_by_name(_EXPERIMENT)
    if found:
        return str(found.experiment_id)
    artifacts = (folder.resolve() / "artifacts").as_uri()
    return str(client.create_experiment(_EXPERIMENT, artifact_location=artifacts))


def _put(client: "MlflowClient", run: str, values: Mapping[str, float], moment: int) -> None:
    from mlflow.entities import Metric

    found: list[Any] = [Metric(name, value, moment, 0) for name, value in values.items()]
    for start in range(0, len(found), _AT_ONCE):
        client.log_batch(run, metrics=found[start : start + _AT_ONCE])


def _milliseconds(stamp: str) -> int:
    """A record's UTC time in ms since 1970."""
    moment = datetime.fromisoformat(stamp)
    return round(moment.replace(tzinfo=moment.tzinfo or UTC).timestamp() * 1000)


export = StoreFormat(
    "runs of MLflow in a local store, by its own client: measured energy and time, the journal",
    ".mlflow",
    _log,
)
