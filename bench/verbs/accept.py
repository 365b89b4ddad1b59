"""``joulebench accept CASE --reason TEXT``: moves the baseline of one case to a commit."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.gate.repository import Commit, Repository
    from bench.verbs import Verbs


def add(verbs: "Verbs") -> None:
    """Adds the verb."""
    accept = verbs.add_parser(
        "accept",
        help="accept a change of a case: moves its baseline, keeps history",
        description="From now on joulebench gate holds the case against this commit, where the"
        " revision that it is asked to compare with is older. A line is added to accepted.jsonl in"
        " the results' folder; commit that file.",
    )
    accept.add_argument("case", metavar="CASE", help="its id, as the alert has it")
    accept.add_argument("--reason", required=True, metavar="TEXT", help="why the change may be")
    accept.add_argument(
        "--at", default="HEAD", metavar="REV", help="its baseline from now on; default: HEAD"
    )
    accept.add_argument(
        "--test", default="", metavar="NODEID", help="its test, if no journal here has the case"
    )
    accept.add_argument(
        "--results", type=Path, default=Path("results"), metavar="DIR", help="default: results"
    )
    accept.set_defaults(verb=_accept)


def _accept(options: argparse.Namespace) -> int:
    from bench.gate import accepted
    from bench.gate.again import require_known
    from bench.gate.earlier import change_of
    from bench.gate.repository import Repository
    from bench.records import now
    from bench.report.text import plain

    repository = Repository(Path.cwd())
    commit = repository.commit(options.at)
    before = accepted.read(options.results)
    if options.test:
        _require_test(options.test, commit, repository)
    else:
        require_known(options.case, options.results, [each.case for each in before])
    seen = change_of(options.case, commit.hash, options.results / "gate")
    told = (seen.ratio, seen.night) if seen else (None, "")
    made = accepted.Acceptance(options.case, commit.hash, plain(options.reason), now(), *told)
    path = accepted.append(options.results, made)
    print(f"accepted: {made.case} is held against {commit.short} from now on")
    earlier = sum(each.case == made.case for each in before)
    print(f"wrote {path}" + (f", which has {earlier} earlier of this case" if earlier else ""))
    return 0


def _require_test(test: str, commit: "Commit", repository: "Repository") -> None:
    """Refuses a test whose file the commit does not have.

    Raises:
        ValueError: It has none of this name.
    """
    path = test.partition("::")[0]
    if not any(f"/{file}".endswith(f"/{path}") for file in repository.files(commit.hash)):
        raise ValueError(
            f"--test {test}: found no file {path} at {commit.short}; give the test as the alert has"
            " it, or leave it out where a journal has the case"
        )
