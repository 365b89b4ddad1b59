"""What the page says of simulated nights: pure functions of the run as it was written."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

Run = Mapping[str, Any]
Rows = Sequence[Mapping[str, Any]]

_NIGHTS = 40
_FOUND = {0.03: 0.75, 0.05: 0.95}
_FALSE = 0.05
_CANARIES = 5
_MOST = 0.5


def limits(run: Run) -> dict[str, bool]:
    """What is asked of the gate at its default margin, and whether it holds."""
    sections, sizes = run["sections"], run["sizes"]

    def default(name: str) -> Rows:
        return [each for each in sections[name] if each["margin"] == run["margin"]]

    power = {
        f"{_signed(change)} is found in at least {_share(least)}, even as the only change": all(
            each["found"][index] >= least for each in default("power")
        )
        for index, (change, least) in enumerate(_FOUND.items())
    }
    good = [each["untrusted"] for each in sections["canaries"] if each["trouble"] is None]
    harm = [
        each["harm"]
        for each in sections["canaries"]
        if each["trouble"] is not None and each["canaries"] >= _CANARIES and each["alarm"] > _MOST
    ]
    return {
        f"at most 1 false alarm in {_NIGHTS} nights of unchanged cases": all(
            each["regressed"] * _NIGHTS <= sizes["nights"] for each in default("alarms")
        ),
        **power,
        f"with 15 true regressions at most {_share(_FALSE)} of the alarms are false": all(
            each["false"] <= _FALSE for each in default("discovery")
        ),
        f"where every case lies at the edge of the margin, nights with an alarm agree with"
        f" {_share(_FALSE)}": all(
            each["nights"] <= _by_chance(sizes["nights"]) for each in sections["edge"]
        ),
        f"at most 1 good night in {_NIGHTS} is called untrusted": max(good) * _NIGHTS <= 1,
        f"of bad nights of which most raise false alarms, with {_CANARIES} canaries or more at most"
        f" 1 in {_NIGHTS} is trusted": max(harm) * _NIGHTS <= 1,
    }


def _by_chance(nights: int) -> int:
    """Of so many nights, each with an alarm in 5 %, how many have one at most in 99 of 100 runs.

    >>> _by_chance(400)
    31
    """
    from scipy.stats import binom

    return int(binom.ppf(0.99, nights, _FALSE))


def page(run: Run) -> str:
    """The page of a run: the same run gives the same bytes."""
    rule, sizes = run["rule"], run["sizes"]
    held = [
        f"| {what} | {'holds' if holds else '**DOES NOT HOLD**'} |"
        for what, holds in limits(run).items()
    ]
    lines = [
        "# Does the gate cry wolf, and what does it find?",
        "",
        (
            f"Simulated nights of {sizes['cases']} cases, of which the truth is known, judged"
            " by the rule that ships."
        ),
        "Nothing here is a measurement of a machine; it ranks methods under one family of noise.",
        f"Simulated {run['started']} with fixed seeds.",
        "",
        (
            f"The rule: {rule['pairs']} pairs of fresh processes; where p < {rule['first']:g},"
            f" {rule['fresh']} fresh ones, which alone must give p < {rule['second']:g};"
            f" then Benjamini and Hochberg's limit, q = {rule['q']:g}, over the p values of all"
            " pairs of every case."
        ),
        f"The margin is {_share(run['margin'])} by default; see [the rule](../docs/gate-rule.md).",
        "",
        f"| demand, at the margin of {_share(run['margin'])}, on every noise model | |",
        "| :-- | :-- |",
        *held,
        "",
        *_noise(run),
        "",
    ]
    for name, body in _BODIES.items():
        lines += [*body(run["sections"][name], run), ""]
    command = f"python benchmarks/nights.py --page {run['path']}"
    lines += [f"Written from [this run](../{run['path']}) by `{command}`.", ""]
    return "\n".join(lines)


def _noise(run: Run) -> Iterator[str]:
    yield "## The noise"
    yield ""
    yield (
        "| model | a night has in common | a process | a block | neighbouring blocks correlate |"
        " blocks hit by +2…10 % | launches hit by +2…10 % | blocks of a process |"
    )
    yield "| :-- | --: | --: | --: | --: | --: | --: | --: |"
    for name, model in run["models"].items():
        cells = [_share(model[key]) for key in ("night", "process", "block")]
        cells += [f"{model['correlation']:g}"]
        cells += [_share(model[key]) for key in ("spikes", "disturbed")]
        yield _row(f"`{name}`", *cells, str(model["blocks"]))
    yield ""
    yield "The value of a process is the median of its blocks."


def _alarms(rows: Rows, run: Run) -> Iterator[str]:
    sizes = run["sizes"]
    yield "## Nights in which nothing changed"
    yield ""
    yield f"{sizes['nights']} nights each; words from {sizes['nights of words']} more."
    yield ""
    yield (
        "| noise | margin | regressed, all nights | nights with any | improved, all nights |"
        f" measured again, of {sizes['cases']} | `ok` | `inconclusive` |"
    )
    yield "| :-- | --: | --: | --: | --: | --: | --: | --: |"
    for row in rows:
        yield _row(
            f"`{row['model']}`",
            _share(row["margin"]),
            str(row["regressed"]),
            f"{row['nights']} of {sizes['nights']}",
            str(row["improved"]),
            f"{row['candidates']:.1f}",
            _percent(row["ok"]),
            _percent(row["inconclusive"]),
        )


def _edge(rows: Rows, run: Run) -> Iterator[str]:
    nights = run["sizes"]["nights"]
    yield "## Nights in which every case lies at the edge"
    yield ""
    yield (
        "Every case became dearer by just the margin: the most that may not count, and the worst"
        " for the rule."
    )
    yield (
        f"Its promise is an alarm in {_share(_FALSE)} of such nights; more than"
        f" {_by_chance(nights)} of {nights} would contradict it."
    )
    yield ""
    yield "| noise | nights with an alarm |"
    yield "| :-- | --: |"
    for row in rows:
        yield _row(f"`{row['model']}`", f"{row['nights']} of {nights}")


def _power(rows: Rows, run: Run) -> Iterator[str]:
    sizes = run["sizes"]
    yield "## One change among many cases"
    yield ""
    yield (
        f"How often it is found as the only one among {sizes['cases']}, where the limit is"
        f" strictest; {sizes['alone']} changed cases each."
    )
    yield "Where time is judged beside energy, a night has twice as many series."
    yield ""
    twice = 2 * sizes["cases"]
    yield f"| noise | margin | +3 % | +5 % | +10 % | +3 %, as one of {twice} |"
    yield "| :-- | --: | --: | --: | --: | --: |"
    for row in rows:
        found = [_percent(each) for each in (*row["found"], row["twice"])]
        yield _row(f"`{row['model']}`", _share(row["margin"]), *found)


def _discovery(rows: Rows, run: Run) -> Iterator[str]:
    yield "## Fifteen changes among many cases"
    yield ""
    yield f"{run['sizes']['nights']} nights each."
    yield ""
    yield "| noise | margin | changed | found | of the alarms are false |"
    yield "| :-- | --: | :-- | --: | --: |"
    for row in rows:
        shares = _percent(row["found"]), _percent(row["false"], 2)
        yield _row(f"`{row['model']}`", _share(row["margin"]), row["true"], *shares)


def _others(rows: Rows, run: Run) -> Iterator[str]:
    nights = run["sizes"]["nights"]
    yield "## Other gates on the same noise"
    yield ""
    yield (
        "They have one process of each case a night, and compare it with earlier nights: what all"
        " processes of a night have in common does not cancel."
    )
    yield (
        f"They cost less: one process of each case a night, ours {2 * run['rule']['pairs']} and"
        " the fresh ones."
    )
    yield ""
    yield (
        "| noise | gate | false alarms a night | nights with any | +3 % | +5 % | +10 % |"
        " false with 15 of +5 % |"
    )
    yield "| :-- | :-- | --: | --: | --: | --: | --: | --: |"
    yield from _ours(run)
    for row in rows:
        yield _row(
            f"`{row['model']}`",
            row["method"],
            f"{row['alarms']:.2g}",
            f"{row['nights']} of {nights}",
            *(_percent(each) for each in row["found"]),
            _percent(row["false"]),
        )


def _ours(run: Run) -> Iterator[str]:
    nights, margin = run["sizes"]["nights"], run["margin"]

    def first(name: str, model: str) -> Any:  # noqa: ANN401 - a row
        rows = run["sections"][name]
        return next(r for r in rows if r["model"] == model and r["margin"] == margin)

    for model in run["models"]:
        alarms = first("alarms", model)
        yield _row(
            f"`{model}`",
            f"**this rule**, margin {_share(margin)}",
            f"{alarms['regressed'] / nights:.2g}",
            f"{alarms['nights']} of {nights}",
            *(_percent(each) for each in first("power", model)["found"]),
            _percent(first("discovery", model)["false"]),
        )


def _rules(rows: Rows, run: Run) -> Iterator[str]:
    sizes = run["sizes"]
    yield "## Other settings"
    yield ""
    yield (
        f"On the harsher noise: the only change among {sizes['cases']}, {sizes['alone']} cases"
        " each; fifteen changes together, where the limit is looser; and how many unchanged cases"
        " are measured again in a night."
    )
    yield ""
    yield (
        "| margin | stage 1, p < | fresh pairs | p of both stages | +3 % | +5 % | +10 % |"
        " fifteen of +3 % | measured again |"
    )
    yield "| --: | --: | --: | :-- | --: | --: | --: | --: | --: |"
    for row in rows:
        yield _row(
            _share(row["margin"]),
            f"{row['first']:g}",
            str(row["fresh"]),
            row["together"],
            *(_percent(each) for each in row["found"]),
            _percent(row["fifteen"]),
            f"{row['candidates']:.1f}",
        )


def _canaries(rows: Rows, run: Run) -> Iterator[str]:
    sizes = run["sizes"]
    yield "## Canaries"
    yield ""
    yield (
        f"{sizes['good nights']} good nights each and {sizes['bad nights']} bad ones, beside one"
        f" of {sizes['histories']} histories of good ones; margin {_share(run['margin'])}."
    )
    yield (
        "In a bad night the second side of each pair costs more although nothing changed, or the"
        " whole night is disturbed."
    )
    yield ""
    yield "| noise | canaries | the night | untrusted | has a false alarm | trusted, with one |"
    yield "| :-- | --: | :-- | --: | --: | --: |"
    for row in rows:
        name, number = f"`{row['model']}`", str(row["canaries"])
        if row["trouble"] is None:
            yield _row(name, number, "good", _percent(row["untrusted"]), "", "")
        else:
            shares = (_percent(row[key]) for key in ("untrusted", "alarm", "harm"))
            yield _row(name, number, row["trouble"], *shares)


_BODIES: dict[str, Callable[[Rows, Run], Iterator[str]]] = {
    "alarms": _alarms,
    "power": _power,
    "discovery": _discovery,
    "others": _others,
    "rules": _rules,
    "edge": _edge,
    "canaries": _canaries,
}


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _share(share: float) -> str:
    return f"{100 * share:g} %"


def _signed(share: float) -> str:
    return f"{100 * share:+g} %"


def _percent(share: float, decimals: int = 1) -> str:
    return f"{100 * share:.{decimals}f} %"
