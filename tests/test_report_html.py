"""The HTML page: one file, no network, the words of the Markdown page, nothing that runs."""

import base64
import builtins
import hashlib
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hostile import ATTACKS, PWNED, hostile
from hypothesis import given
from hypothesis import strategies as st
from journals import a_case, a_journal, quality, save

import bench.report.sections
from bench.cli import main
from bench.compare import compare
from bench.records import Journal
from bench.report import chart, markdown
from bench.report.charts import pareto_figure, sweep_figure
from bench.report.labels import Box, chosen
from reports import HALF, SAME, estimated, grid_of, measured, report_of

pytest.importorskip("markdown_it", reason="pip install 'joulebench[html]'")
pytest.importorskip("nh3", reason="pip install 'joulebench[html]'")

from bench.report.html import page
from bench.report.markup import sort_value, to_html

ROOT = Path(__file__).parents[1]
VOID = {"wbr", "meta", "link", "br", "img", "hr", "input"}


class Reader(HTMLParser):
    """What stands in a page: its elements with their attributes, and that they are nested well."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.wrong: list[str] = []
        self.said: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in {"script", "style"}:
            self.said.append(data)

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.elements if name == tag]

    @property
    def words(self) -> str:
        return " ".join("".join(self.said).split())


def test_the_page_is_one_well_formed_file_with_landmarks_and_one_heading() -> None:
    reader = Reader(page(report_of(measured())))

    assert (reader.wrong, reader.open) == ([], [])
    tags = [tag for tag, _ in reader.elements]
    assert all(tags.count(tag) == 1 for tag in ("html", "main", "header", "nav", "footer", "h1"))
    assert reader.of("html")[0]["lang"] == "en"
    assert reader.of("a")[0] == {"class": "skip", "href": "#main"}


def test_the_page_asks_the_network_for_nothing() -> None:
    reader = Reader(page(report_of(measured())))

    for tag, attrs in reader.elements:
        assert tag not in {"img", "iframe", "object", "embed", "base", "form"}
        assert not {"src", "srcset", "style", "action", "background"} & set(attrs)
        assert not [name for name in attrs if name.startswith("on")]
    assert [link["href"] for link in reader.of("link")] == ["data:,"]
    assert "url(" not in page(report_of(measured()))
    assert "@import" not in page(report_of(measured()))


def test_the_policy_names_the_style_and_the_script_by_their_hashes_and_nothing_else() -> None:
    text = page(report_of(measured()))
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', text)

    for tag in ("style", "script"):
        (inside,) = re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(inside.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy


@pytest.mark.parametrize("attack", ATTACKS)
def test_hostile_strings_become_words_and_nothing_else(attack: str) -> None:
    text = page(report_of(hostile(attack)))
    reader = Reader(text)

    assert (reader.wrong, reader.open) == ([], [])
    assert len(reader.of("script")) == len(reader.of("style")) == 1
    for tag, attrs in reader.elements:
        assert tag not in {"img", "iframe", "object", "embed"}
        assert not [name for name in attrs if name.startswith("on") or name in {"src", "srcdoc"}]
        assert not (attrs.get("href") or "").lower().startswith(("javascript:", "http"))
    assert "could not be written" not in text
    assert " ".join(attack.split())[:20] in reader.words


@pytest.fixture
def section_folder(tmp_path: Path) -> Iterator[Path]:
    bench.report.sections.__path__.append(str(tmp_path))
    yield tmp_path
    bench.report.sections.__path__.remove(str(tmp_path))


def test_what_somebody_elses_section_wants_to_run_is_thrown_away(section_folder: Path) -> None:
    evil = (
        f'<script>{PWNED}</script><b onclick="{PWNED}" style="x">b</b><a href="javascript:1">c</a>'
    )
    (section_folder / "evil_of_a_test.py").write_text(
        f"def section(report):\n    return {evil!r} + '\\n\\n![d](https://example.org/d.png)'\n",
        encoding="utf-8",
    )
    reader = Reader(page(report_of(measured())))

    assert len(reader.of("script")) == 1
    assert not reader.of("img")
    assert PWNED not in reader.words
    assert {"href": "javascript:1"} not in reader.of("a")


def test_every_cell_of_the_markdown_page_stands_in_the_html_page() -> None:
    report = report_of(measured())
    rows = grid_of(markdown.page(report))
    words = Reader(page(report)).words

    assert len(rows) == 5
    for row in rows:
        for cell in row.values():
            assert cell.strip("*").replace("\u202f", " ") in words.replace("\u202f", " ")


def test_each_link_of_the_contents_leads_somewhere_and_no_id_stands_twice() -> None:
    reader = Reader(page(report_of(measured())))
    ids = [attrs["id"] for _, attrs in reader.elements if "id" in attrs]
    links = [href for a in reader.of("a") if (href := a["href"]) and href.startswith("#")]

    assert len(ids) == len(set(ids))
    assert len(links) > 8
    assert {link[1:] for link in links} <= set(ids)


def test_tables_stand_in_frames_that_the_keyboard_reaches_and_say_what_they_are() -> None:
    reader = Reader(page(report_of(measured())))
    frames = [attrs for attrs in reader.of("div") if attrs.get("class") == "scroll"]

    assert len(frames) == len(reader.of("table")) > 5
    assert all(frame["tabindex"] == "0" and frame["aria-label"] for frame in frames)
    assert "digits" in [frame["aria-label"] for frame in frames]
    assert all(attrs.get("scope") in {"col", "row"} for attrs in reader.of("th"))


def test_numbers_carry_what_they_are_sorted_by_and_estimates_do_not() -> None:
    numbers = Reader(page(report_of(measured())))
    guesses = to_html(
        "| variant | *estimate, mJ* | time |\n| :-- | --: | --: |\n| a | *≈ 2–8 est.* | 3.1 ms |\n"
    )

    assert [attrs.get("data-sort") for attrs in numbers.of("td")].count("1") >= 2
    assert guesses.count("data-sort") == 1
    assert 'data-sort="0.0031"' in guesses
    assert "n unranked" in guesses
    assert "unranked" in page(report_of(estimated()))


def test_a_verdict_has_a_colour_beside_its_word() -> None:
    rows = Reader(page(report_of(measured()))).of("td")

    assert {"class": "good"} in rows
    assert {"class": "bad"} in rows


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("12.4 ± 0.2", 12.4),
        ("A/A 0.99 [0.97, 1.01]", 0.99),
        ("44.1 / 112", 44.1),
        ("18\u202f000 ± 19\u202f000", 18000.0),
        ("−0.2", -0.2),
        ("< 3.0", 3.0),
        ("23.6 KiB", 23.6 * 1024),
        ("1.02 MiB (1.00×)", 1.02 * 2**20),
        ("900 B", 900.0),
        ("12 [1, 2] mJ", 0.012),
        ("4.5 ms", 0.0045),
        ("98.9 ± 0.1 (+0.4 ± 0.5)", 98.9),
        ("+0.1 ± 0.5", 0.1),
        ("4.86 ± 0.13 ps", 4.86e-12),
        ("206 ± 6 GMAC/s", 206e9),
        ("1\u202f073 MAC", 1073.0),
        ("3.18 mJ to 10.4 mJ per sample", 0.00318),
        ("4\u202f440 or more (unresolved)", 4440.0),
        ("1.2×10^19 ± 3", 1.2e19),
        ("5.09 [4.82, 5.38] precision@dtype=int8 · onnxruntime", 5.09),
        ("memory (gemm-fp32)", None),
        ("model.layers.7.mlp Linear", None),
        ("0 Linear", None),
        ("0.kept Linear", None),
        ("—¹", None),
        ("never (costs)", None),
        ("", None),
    ],
)
def test_a_cell_is_sorted_by_its_number_not_by_its_text(cell: str, value: float | None) -> None:
    assert sort_value(cell) == (None if value is None else pytest.approx(value))


def test_a_column_of_names_sorts_as_words_though_it_stands_among_numbers() -> None:
    page = to_html("| a | limit | took |\n| :-- | --: | --: |\n| x | memory (fp32) | 2.0 ps |\n")

    assert '<th scope="col">limit</th>' in page
    assert "<td>memory (fp32)</td>" in page
    assert '<td data-sort="2e-12" class="n">2.0 ps</td>' in page


# -- figures --------------------------------------------------------------------------------------


def test_a_figure_has_alternative_text_and_each_point_says_its_values() -> None:
    reader = Reader(page(report_of(measured())))
    charts = [attrs for attrs in reader.of("svg") if attrs.get("class") == "chart"]
    dots = [attrs for attrs in reader.of("g") if (attrs.get("class") or "").startswith("dot ")]

    assert charts == [
        {
            "class": "chart",
            "viewbox": f"0 0 {chart.WIDTH} {chart.HEIGHT}",
            "role": "group",
            "aria-labelledby": "figure-pareto-0-t",
            "aria-describedby": "figure-pareto-0-d",
        }
    ]
    assert len(dots) == 5
    assert all(dot["tabindex"] == "0" and dot["role"] == "img" for dot in dots)
    said = [dot["aria-label"] or "" for dot in dots]
    assert any(
        re.match(r"student: 5\.1\d* mJ per image \([0-9.]+ to [0-9.]+\); quality 96\.8 %", each)
        for each in said
    )
    assert sum("breaks its target" in each for each in said) == 1
    assert "Data of the figure" in reader.words


def test_without_points_there_is_no_figure_and_no_address_is_left_over() -> None:
    text = page(report_of(a_journal([(a_case("a", quality=None), HALF)])))

    assert "<figure" not in text
    assert "figure-pareto)" not in text


def test_a_figure_that_cannot_be_drawn_leaves_a_line_and_the_page_stands(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fails(*_: object) -> str:
        raise OverflowError("<b> is too large")

    monkeypatch.setattr("bench.report.html.pareto_figure", fails)
    text = page(report_of(measured()))

    assert "The figure could not be drawn:</strong> OverflowError: &lt;b&gt; is too large" in text
    assert "Provenance" in Reader(text).words


def test_all_points_and_their_bars_lie_within_the_frame() -> None:
    figure = pareto_figure(compare([measured()]), "f")
    moves = re.findall(
        r'class="span" d="M([0-9.]+),([0-9.]+)V([0-9.]+)M([0-9.]+),[0-9.]+H([0-9.]+)', figure
    )

    assert len(moves) == 5
    for x, low, high, left, right in (map(float, each) for each in moves):
        assert 62 <= left <= x <= right <= chart.WIDTH - 14
        assert 12 <= high <= low <= chart.HEIGHT - 52


def test_a_crowded_chart_names_the_front_and_the_baseline_and_says_all_values() -> None:
    crowd = [(a_case(f"t{n:02}", quality=quality(0.96)), SAME) for n in range(12)]
    cases = [(a_case(), SAME), (a_case("student", quality=quality(0.968)), HALF), *crowd]
    figure = pareto_figure(compare([a_journal(cases)]), "f")

    assert re.findall(r'class="label[^>]*>([^<]*)<', figure) == ["baseline", "student"]
    assert figure.count('role="img"') == 14


def judged_sweep() -> Journal:
    """A sweep of which one step loses more than the axis shows, and two cases that were timed."""
    sizes = {"disk": 4096, "nominal": 4096}
    cases = [
        (a_case(size_bytes=sizes), SAME),
        (a_case("student", size_bytes={"disk": None, "nominal": None}), HALF),
    ]
    for number, value in enumerate((0.97, 0.96, 0.80)):
        small = {"disk": 400 * (3 - number), "nominal": 400, "baseline": 4096}
        level = {"density": str(0.3 - number / 10)}
        case = a_case(
            "pruned", level=level, quality=quality(value), size_bytes=small, runtime="judged"
        )
        cases.append((case, []))
    return a_journal(cases)


def test_a_sweep_is_a_line_of_points_and_an_arrow_for_what_lies_below() -> None:
    report = report_of(judged_sweep())
    figure = sweep_figure(report.tables, "f")

    assert 'class="line c0"' in figure
    assert figure.count('class="dot c0"') == 3
    assert figure.count(chart._ARROW) == 1
    assert "pruned density=" in figure
    assert '<figure id="figure-sweep"' in page(report)


def test_tables_without_points_have_no_figure() -> None:
    assert pareto_figure((), "f") == sweep_figure((), "f") == ""


@given(st.floats(-1e6, 1e6), st.floats(1e-6, 1e6))
def test_ticks_are_few_and_lie_within_their_axis(low: float, span: float) -> None:
    ticks = chart.even_ticks(low, low + span)

    assert len(ticks) <= 7
    assert all(low - 1e-6 * span - 1e-9 <= t <= low + span * (1 + 1e-6) + 1e-9 for t in ticks)


def test_labels_of_points_that_are_apart_stand_beside_them_and_within_the_frame() -> None:
    inside = Box(0.0, 0.0, 300.0, 300.0)
    (one, other) = chosen([(2.0, 50.0, "long name"), (298.0, 200.0, "long name")], [], inside)

    assert (one[0] > 0, one[1]) == (True, 0.0)
    assert (other[0] < 0, other[1]) == (True, 0.0)


# -- the command ----------------------------------------------------------------------------------


def test_without_its_libraries_the_page_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    real = builtins.__import__

    def absent(name: str, *rest: Any, **others: Any) -> Any:
        if name == "nh3":
            raise ModuleNotFoundError("No module named 'nh3'", name="nh3")
        return real(name, *rest, **others)

    monkeypatch.setattr(builtins, "__import__", absent)
    journal = save(measured(), tmp_path)

    assert main(["report", str(journal), "-o", str(tmp_path / "page.html")]) == 2
    error = capsys.readouterr().err
    assert "found no nh3" in error
    assert "pip install 'joulebench[html]'" in error
    assert not (tmp_path / "page.html").exists()


def test_one_call_writes_every_form_by_its_suffix(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    journal = save(measured(), tmp_path)
    outs = [
        arg for end in ("md", "html", "tex", "csv") for arg in ("-o", str(tmp_path / f"p.{end}"))
    ]

    assert main(["report", str(journal), *outs]) == 0
    assert capsys.readouterr().out.count("wrote ") == 6
    assert {p.suffix for p in tmp_path.glob("p.*")} == {".md", ".svg", ".html", ".tex", ".csv"}


_FRESH = """
import sys
from pathlib import Path
from bench.cli import main
journal, folder = sys.argv[1:]
ends = ("md", "html", "tex", "csv")
sys.exit(main(["report", journal, *(a for e in ends for a in ("-o", f"{folder}/page.{e}"))]))
"""


def test_every_form_has_the_same_bytes_in_processes_of_other_hashes_zones_and_places(
    tmp_path: Path,
) -> None:
    journal = save(judged_sweep(), tmp_path)
    places = ({"PYTHONHASHSEED": "1", "TZ": "Asia/Kolkata", "LC_ALL": "C"},
              {"PYTHONHASHSEED": "2", "TZ": "America/Lima", "LC_ALL": "C.UTF-8"})  # fmt: skip
    found = []
    for number, place in enumerate(places):
        folder = tmp_path / str(number)
        subprocess.run(
            [sys.executable, "-c", _FRESH, str(journal), str(folder)],
            env={**os.environ, "PYTHONPATH": str(ROOT), **place},
            cwd=tmp_path, check=True, capture_output=True,
        )  # fmt: skip
        found.append({path.name: path.read_bytes() for path in sorted(folder.iterdir())})

    assert set(found[0]) == {
        "page.md", "page.csv", "page.svg", "page-size.svg", "page.html", "page.tex",
    }  # fmt: skip
    assert found[0] == found[1]


def test_the_example_page_is_what_the_tool_writes_from_its_journal(tmp_path: Path) -> None:
    example = ROOT / "docs" / "example-report.html"
    (name,) = re.findall(r"Written by .*? from <code>([^<]+)</code>", example.read_text("utf-8"))

    assert main(["report", str(ROOT / "results" / name), "-o", str(tmp_path / "page.html")]) == 0
    assert (tmp_path / "page.html").read_bytes() == example.read_bytes()
    assert example.stat().st_size < 1.5e6


@pytest.mark.parametrize("picture", ["desktop", "phone", "dark"])
def test_the_example_page_has_its_pictures(picture: str) -> None:
    path = ROOT / "docs" / f"example-{picture}.png"

    assert path.read_bytes().startswith(b"\x89PNG")
    assert path.stat().st_size < 400_000
