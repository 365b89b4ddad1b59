"""``joulebench accept CASE --reason TEXT``: moves the baseline of one case to a commit."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
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
    accept.add_argument("--test", default="", metavar="NODEID", help="the case's test, if no"
                        " journal here has the case")  # fmt: skip
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

    commit = Repository(Path.cwd()).commit(options.at)
    before = accepted.read(options.results)
    if not options.test:
        require_known(options.case, options.results, [each.case for each in before])
    seen = change_of(options.case, commit.hash, options.results / "gate")
    told = (seen.ratio, seen.night) if seen else (None, "")
    made = accepted.Acceptance(options.case, commit.hash, plain(options.reason), now(), *told)
    path = accepted.append(options.results, made)
    print(f"accepted: {made.case} is held against {commit.short} from now on")
    earlier = sum(each.case == made.case for each in before)
    print(f"wrote {path}" + (f", which has {earlier} earlier of this case" if earlier else ""))
    return 0
