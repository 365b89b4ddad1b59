"""``joulebench export``: the numbers of a journal in the format of another tool."""

import argparse
import os
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bench.exit_codes import EXIT_NOTHING_RAN
from bench.record import JournalError

if TYPE_CHECKING:
    from bench.compare import Table
    from bench.export_format import FileFormat, LeftOut, StoreFormat
    from bench.verbs import Verbs

FOLDER = Path("reports")
"""Where files go for which no place is given."""


def add(verbs: "Verbs") -> None:
    """Adds the verb."""
    export = verbs.add_parser("export", help="a journal in the format of another tool")
    export.add_argument(
        "results",
        nargs="*",
        type=Path,
        metavar="JOURNAL",
        help="journals or folders of them; default: the newest journal in results/",
    )
    what = export.add_mutually_exclusive_group(required=True)
    what.add_argument("--to", metavar="FORMAT", help="e.g. junit or parquet; see --list")
    what.add_argument("--list", action="store_true", help="the formats, each in one line")
    export.add_argument(
        "-o", "--output", metavar="FILE", help="file or folder to write; - prints one text"
    )
    export.add_argument("--case", default="", metavar="TEXT", help="only cases with it in their id")
    export.set_defaults(verb=_export)


def _export(options: argparse.Namespace) -> int:
    formats, broken = _formats()
    if options.list:
        for name, each in formats.items():
            print(f"{name:<24} {each.about}")
        for name, why in broken.items():
            print(f"{name:<24} cannot be used: {why}")
        return 0
    name = options.to.replace("_", "-")
    if name in broken:
        raise ValueError(f"--to {name} cannot be used: {broken[name]}")
    if name not in formats:
        names = ", ".join(formats)
        raise ValueError(f"--to {options.to}: there is no such format; choose from {names}")
    return _write(formats[name], options)


def _formats() -> "tuple[dict[str, FileFormat | StoreFormat], dict[str, str]]":
    """The formats by name, and why others cannot be used."""
    from bench.discover import plugins
    from bench.export_format import FileFormat, StoreFormat

    found, broken = plugins("bench.exports", "export")
    formats, reasons = {}, {each.name: each.reason for each in broken}
    for plugin in found.values():
        if isinstance(plugin.target, FileFormat | StoreFormat):
            formats[plugin.name.replace("_", "-")] = plugin.target
        else:
            kind = type(plugin.target).__name__
            reasons[plugin.name] = f"{plugin.module} gives a {kind}, wanted a FileFormat"
    return formats, {name.replace("_", "-"): why for name, why in reasons.items()}


def _write(form: "FileFormat | StoreFormat", options: argparse.Namespace) -> int:
    """Writes one output for each journal; a store takes all of them."""
    from bench.compare import compare
    from bench.exports._rows import only
    from bench.records import read

    paths = _journals(options.results)
    if options.output and len(paths) > 1 and not hasattr(form, "log"):
        raise ValueError(
            f"-o {options.output}: {len(paths)} journals make as many files; give one journal, or"
            " no -o"
        )
    wrote = False
    left: list[LeftOut] = []
    for path in paths:
        tables = only(compare([read(path)]), options.case)
        if tables:
            done, missing = _one(form, tables, path, options.output)
            wrote, left = wrote or done, [*left, *missing]
    _tell(left)
    if not wrote:
        print("joulebench: nothing was exported", file=sys.stderr)
    return 0 if wrote else EXIT_NOTHING_RAN


def _one(
    form: "FileFormat | StoreFormat", tables: "Sequence[Table]", journal: Path, output: str | None
) -> "tuple[bool, tuple[LeftOut, ...]]":
    """Writes one output; whether there was anything to write, and what was left out."""
    from bench.export_format import StoreFormat

    out = Path(output) if output else FOLDER / f"{journal.stem}{form.suffix}"
    if isinstance(form, StoreFormat):
        if output == "-":
            raise ValueError("-o -: this format is a folder of its client's; give a folder")
        logged = form.log(tables, out)
        for line in logged.runs:
            print(f"{os.path.relpath(out)}: {line}")
        return bool(logged.runs), logged.left_out
    rendered = form.render(tables)
    contents = {
        name: text.encode("utf-8", "backslashreplace") if isinstance(text, str) else text
        for name, text in rendered.files.items()
    }
    if output == "-":
        _print(contents, isinstance(next(iter(rendered.files.values()), ""), bytes))
        return bool(contents), rendered.left_out
    for path, content in _places(form, out, contents).items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        if not form.inside:
            print(f"wrote {os.path.relpath(path)}")
    if form.inside and contents:
        files = "1 file" if len(contents) == 1 else f"{len(contents)} files"
        print(f"wrote {os.path.relpath(out)}: {files}")
    return bool(contents), rendered.left_out


def _places(form: "FileFormat", out: Path, contents: dict[str, bytes]) -> dict[Path, bytes]:
    """Where each content goes: into a folder, or into files that stand beside each other."""
    if form.inside and out.suffix != form.inside:
        return {out / f"{name}{form.inside}": content for name, content in contents.items()}
    if form.inside:
        if len(contents) > 1:
            raise ValueError(
                f"-o {out}: this export is {len(contents)} files; give a folder, or --case for one"
            )
        return dict.fromkeys([out] if contents else [], b"".join(contents.values()))
    suffix = form.suffix if out.name.endswith(form.suffix) else out.suffix
    stem = out.name.removesuffix(suffix)
    return {out.with_name(f"{stem}{name}{suffix}"): each for name, each in contents.items()}


def _print(contents: dict[str, bytes], binary: bool) -> None:  # noqa: FBT001 - it has one caller
    """The one text of an output, as it would stand in the file."""
    if binary or len(contents) > 1:
        what = "not text" if binary else f"{len(contents)} files"
        raise ValueError(f"-o -: this export is {what}; give -o FILE, or --case for a single case")
    for content in contents.values():
        sys.stdout.write(content.decode())


def _journals(given: Sequence[Path]) -> list[Path]:
    """The journals asked for; by default the newest one with a finished case."""
    from bench.records import journals, read

    paths = [p for each in given for p in (journals(each) if each.is_dir() else [each])]
    if not given:
        newest_first = reversed(journals(Path("results")))
        paths = [path for path in newest_first if read(path).cases][:1]
    if not paths:
        folders = " ".join(map(str, given)) or "results"
        raise JournalError(f"no journal in {folders}; run pytest --benchmark suites first")
    return paths


def _tell(left: "Sequence[LeftOut]") -> None:
    """What was left out, each reason once with its cases."""
    from bench.report.text import plain

    for reason, count in Counter(each.reason for each in left).items():
        first = next(each.case for each in left if each.reason == reason)
        more = f" and {count - 1} more" if count > 1 else ""
        print(f"left out {plain(first)}{more}: {plain(reason)}", file=sys.stderr)
