"""``joulebench issues``: one issue for each case that a night found dearer, by GitHub's ``gh``."""

import argparse
import json
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bench.verbs import Verbs

_LIMIT_S = 120


def add(verbs: "Verbs") -> None:
    """Adds the verb."""
    issues = verbs.add_parser(
        "issues",
        help="one GitHub issue for each case that a night found dearer",
        description="Opens, updates and closes the issues with the label joulebench by what a"
        " night's gate answered. It calls GitHub's gh, which must be installed and may write"
        " issues (GH_TOKEN, GH_REPO).",
    )
    issues.add_argument(
        "answer", type=Path, metavar="ANSWER", help="the file of joulebench gate --json"
    )
    issues.add_argument(
        "--night", default="", metavar="URL", help="where the night's page is: linked in each issue"
    )
    issues.add_argument(
        "--dry-run", action="store_true", help="say what would be done, and change nothing"
    )
    issues.set_defaults(verb=_issues)


def _issues(options: argparse.Namespace) -> int:
    from bench.gate.issues import LABEL, Issue, steps

    answer = _loaded(options.answer.read_text(encoding="utf-8"), str(options.answer))
    if not isinstance(answer, dict):
        wanted = "found no object, wanted what gate --json writes"
        raise ValueError(f"{options.answer}: {wanted}")  # noqa: TRY004 - the file is wrong
    gh = shutil.which("gh")
    if gh is None:
        raise ValueError("gh is not installed; get it from https://cli.github.com")
    listing = ("--label", LABEL, "--state", "open", "--limit", "1000")
    text = _run(gh, ("issue", "list", *listing, "--json", "number,title,body"))
    known = [
        Issue(int(each["number"]), str(each["title"]), str(each["body"]))
        for each in _loaded(text, "gh issue list")
    ]
    found = steps(answer, known, options.night)
    if found and not options.dry_run:
        label = ("create", LABEL, "--force", "--description", "an energy or time regression")
        _run(gh, ("label", *label))
    for step in found:
        if options.dry_run:
            print(f"would {step.said}: {shlex.join(('gh', *step.arguments))}")
        else:
            _run(gh, step.arguments, step.body)
            print(step.said)
    if not found:
        print("no issue changes")
    return 0


def _loaded(text: str, where: str) -> Any:  # noqa: ANN401 - whatever the text holds
    try:
        return json.loads(text)
    except ValueError as error:
        raise ValueError(f"{where}: found no JSON: {error}") from error


def _run(gh: str, arguments: tuple[str, ...], body: str | None = None) -> str:
    """What one call of ``gh`` prints.

    Raises:
        ValueError: It refuses.
    """
    done = subprocess.run(  # noqa: S603 - a list of arguments, no shell
        [gh, *arguments],
        input=body or "",
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=False,
        timeout=_LIMIT_S,
    )
    if done.returncode:
        said = " ".join(done.stderr.split()) or f"exit code {done.returncode}"
        raise ValueError(f"gh {arguments[0]} {arguments[1]}: {said}")
    return done.stdout
