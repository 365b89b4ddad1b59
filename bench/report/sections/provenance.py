"""Where the numbers come from: run, machine, revision, packages, meters."""

from bench.meter import Channel
from bench.record import Run
from bench.records import Journal
from bench.report import blocks, findings, text
from bench.report.markdown import Report

ORDER = 90
_CHANNELS = ("channel", "kind", "boundary", "update interval", "resolution", "origin")


def section(report: Report) -> str:
    """A folded part for each journal."""
    return "\n\n".join(
        blocks.details(f"Provenance · run {text.escape(journal.run.run_id)}", _body(journal))
        for journal in findings.journals(report.tables)
    )


def _body(journal: Journal) -> str:
    run = journal.run
    parts = [blocks.table(("what", "value"), _facts(journal), left=2)]
    if run.channels:
        channels = [_channel(channel) for channel in run.channels]
        parts.append(blocks.table(_CHANNELS, channels, left=3, last=1))
    if run.unusable:
        unusable = [
            (text.escape(u.what), str(u.status), text.escape(u.reason), text.escape(u.fix) or "—")
            for u in run.unusable
        ]
        parts.append(blocks.table(("not usable", "status", "reason", "fix"), unusable, left=4))
    return "\n\n".join(parts)


def _facts(journal: Journal) -> list[tuple[str, str]]:
    run = journal.run
    finished = journal.end.finished if journal.end else "cut off: no end record"
    facts = {
        "run": run.run_id,
        "journal": journal.path.name,
        "started": run.started,
        "finished": finished,
        "command": run.command,
        **_simulated(journal),
        **_machine(run),
        "git": _git(run),
        "seed": run.seed,
        "settings": _pairs(run.settings),
        "packages": _pairs(run.packages),
    }
    return [(name, text.escape(value)) for name, value in facts.items()]


def _simulated(journal: Journal) -> dict[str, str]:
    if not findings.is_simulated(journal):
        return {}
    return {"device": "simulated; the machine named here did nothing but simulate it"}


def _machine(run: Run) -> dict[str, object]:
    machine = run.machine
    memory, turbo = machine.get("memory_bytes"), machine.get("turbo")
    gpus = ", ".join(str(gpu.get("name")) for gpu in machine.get("gpu") or ())
    return {
        "machine": machine.get("id", "unknown"),
        "CPU": f"{machine.get('cpu', 'unknown')} ({machine.get('cpus', '?')} logical CPUs)",
        "memory": text.size(memory) if memory else "unknown",
        "GPU": gpus or "none",
        "kernel": machine.get("kernel", "unknown"),
        "virtualised": machine.get("virtualised") or "no sign of it",
        "governor": machine.get("governor") or "unknown",
        "turbo": "unknown" if turbo is None else "on" if turbo else "off",
        "Python": machine.get("python", "unknown"),
    }


def _git(run: Run) -> str:
    if not run.git:
        return "not a repository"
    return f"{run.git.get('commit')}{' with uncommitted changes' if run.git.get('dirty') else ''}"


def _pairs(fields: object) -> str:
    items = fields.items() if hasattr(fields, "items") else ()
    return ", ".join(f"{name} {'-' if value is None else value}" for name, value in items) or "none"


def _channel(channel: Channel) -> tuple[str, ...]:
    return (
        text.escape(channel.id),
        str(channel.kind),
        text.escape(channel.boundary),
        _scaled(channel.update_interval_s, "s"),
        _scaled(channel.resolution, channel.unit),
        text.escape(channel.origin),
    )


def _scaled(value: float, unit: str) -> str:
    """Three digits and a prefix; the step of a gauge is one of power."""
    scale = text.prefix([value])
    return f"{text.significant(value / scale.factor)} {scale.symbol}{unit}" if value else "none"
