"""An offline run of Weights & Biases, by its own client: nothing is sent before ``wandb sync``."""

from collections.abc import Sequence
from pathlib import Path

from bench.compare import Table
from bench.export_format import Logged, StoreFormat, slugs, utf8_text
from bench.exports._metrics import context, metrics
from bench.refusal import installed


def _log(tables: Sequence[Table], folder: Path) -> Logged:
    installed("wandb", "wandb")
    import wandb

    journal = tables[0].journal
    found = metrics(tables)
    if not found.values:
        return Logged((), found.left_out)
    folder.mkdir(parents=True, exist_ok=True)
    told = {name: utf8_text(value) for name, value in context(tables[0]).items()}
    (name,) = slugs([journal.path.stem], "-").values()
    run = wandb.init(
        project="joulebench",
        id=name,  # the same journal is the same run, however often it is synced
        name=name,
        mode="offline",
        dir=str(folder),
        config=told,
        settings=wandb.Settings(
            console="off", disable_code=True, disable_git=True, silent=True, x_disable_meta=True,
            x_disable_stats=True, x_disable_machine_info=True,
            x_save_requirements=False,
        ),
    )  # fmt: skip
    try:
        run.log(found.values)
        artifact = wandb.Artifact(name, type="joulebench-journal")
        artifact.add_file(str(journal.path))
        run.log_artifact(artifact)
        where = Path(run.dir).parent
    finally:
        run.finish()
    return Logged(
        (f"{where}: {len(found.values)} metrics; send it with: wandb sync {where}",), found.left_out
    )


export = StoreFormat(
    "an offline run of Weights & Biases, by its own client: measured energy and time, the journal",
    ".wandb",
    _log,
)
