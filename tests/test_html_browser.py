"""The HTML page in a real browser: desktop and phone, light and dark, mouse and keyboard.

Needs playwright (the extra ``browser``) and a Chromium of the system; skipped where one is missing.
"""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hostile import ATTACKS, hostile
from journals import a_journal, save
from model_journals import crossed

from bench.compare import compare
from bench.report import html
from bench.report.markdown import Report
from bench.report.write import write
from reports import estimated, measured

CHROMIUM = os.environ.get("JOULES_CHROMIUM") or next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
playwright = pytest.importorskip(
    "playwright.sync_api", reason="no playwright: pip install 'joulebench[browser]'"
)
if CHROMIUM is None:
    pytest.skip("no Chromium: apt-get install chromium", allow_module_level=True)
pytest.importorskip("nh3", reason="pip install 'joulebench[html]'")

DESKTOP, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
CONTRAST = """() => {
  const channel = (v) => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const parse = (text) => text.match(/[0-9.]+/g).map(Number);
  const ground = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = parse(getComputedStyle(at).backgroundColor);
      if (colour.length === 3 || colour[3] > 0) return colour;
    }
    return [255, 255, 255];
  };
  const found = [];
  for (const element of document.querySelectorAll("body *")) {
    const own = [...element.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
    const named = ["TITLE", "desc", "title"].includes(element.tagName);
    if (!own || named || !element.getClientRects().length) continue;
    const style = getComputedStyle(element);
    const ink = parse(element instanceof SVGElement ? style.fill : style.color);
    const [a, b] = [light(ink), light(ground(element))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    found.push([ratio, element.tagName, element.textContent.trim().slice(0, 40)]);
  }
  return found;
}"""
WIDE = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"


class Shown(NamedTuple):
    """A page in a browser, with what it asked for and what it complained of."""

    tab: Any
    asked: list[str]
    complaints: list[str]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as driver:
        found = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield found
        found.close()


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Pages of a measured run, of one with models and without energy, and of hostile ones."""
    folder = tmp_path_factory.mktemp("pages")
    journals = {
        "measured": measured(),
        "estimated": estimated(),
        "crossed": a_journal(crossed()),
    }
    made = {}
    for name, journal in journals.items():
        (folder / name).mkdir()
        made[name] = folder / f"{name}.html"
        write([save(journal, folder / name)], made[name])
    for number, attack in enumerate(ATTACKS):  # a reader refuses most of it; the page must not care
        made[f"hostile{number}"] = folder / f"hostile{number}.html"
        made[f"hostile{number}"].write_text(html.page(Report(compare([hostile(attack)]))))
    return made


def shown(browser: Any, path: Path, size: dict[str, int], **context: Any) -> Shown:
    tab = browser.new_context(viewport=size, **context).new_page()
    tab.set_default_timeout(10_000)
    asked: list[str] = []
    complaints: list[str] = []
    tab.on("request", lambda request: asked.append(request.url))
    tab.on("console", lambda message: complaints.append(message.text))
    tab.on("pageerror", lambda error: complaints.append(str(error)))
    tab.goto(path.as_uri())
    return Shown(tab, asked, complaints)


def first_column(tab: Any) -> list[str]:
    return list(
        tab.eval_on_selector_all(
            "#s-table tbody tr", "rows => rows.map(r => r.cells[0].textContent)"
        )
    )


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize("name", ["measured", "estimated", "crossed"])
def test_a_page_complains_of_nothing_asks_for_nothing_and_does_not_scroll_sideways(
    browser: Any, files: dict[str, Path], name: str, size: dict[str, int]
) -> None:
    tab, asked, complaints = shown(browser, files[name], size)

    assert tab.evaluate(WIDE) <= 0
    tab.click("#fold")
    assert tab.eval_on_selector_all("main details", "all => all.every(d => d.open)")
    assert tab.evaluate(WIDE) <= 0
    assert complaints == []
    assert [url for url in asked if not url.startswith("data:")] == [files[name].as_uri()]
    tab.context.close()


def test_a_click_sorts_by_the_number_and_says_which_way(
    browser: Any, files: dict[str, Path]
) -> None:
    tab, *_ = shown(browser, files["measured"], DESKTOP)
    head = tab.locator("#s-table thead th", has_text="energy ÷ baseline")
    shipped = first_column(tab)

    head.locator("button").click()
    rising = first_column(tab)
    assert head.get_attribute("aria-sort") == "ascending"
    head.locator("button").click()

    assert head.get_attribute("aria-sort") == "descending"
    assert {rising[0], rising[1]} == {"student", "tiny"}
    assert rising[-1] == first_column(tab)[0] == "csr"
    assert rising != shipped
    assert tab.locator("#s-table th[aria-sort=descending]").count() == 1
    tab.context.close()


def test_the_keyboard_sorts_and_unfolds_and_reaches_what_scrolls(
    browser: Any, files: dict[str, Path]
) -> None:
    tab, *_ = shown(browser, files["measured"], PHONE)
    tab.keyboard.press("Tab")
    assert tab.evaluate("document.activeElement.className") == "skip"
    button = tab.locator("#s-table thead th button").first
    button.focus()
    tab.keyboard.press("Enter")
    assert tab.locator("#s-table thead th").first.get_attribute("aria-sort") == "ascending"
    assert first_column(tab) == sorted(first_column(tab))
    tab.locator("#s-table .scroll").first.focus()
    assert tab.evaluate("document.activeElement.className") == "scroll"
    summary = tab.locator("#s-provenance summary").first
    summary.focus()
    tab.keyboard.press("Enter")

    assert tab.locator("#s-provenance details").first.evaluate("part => part.open")
    tab.context.close()


def test_estimates_cannot_be_ranked(browser: Any, files: dict[str, Path]) -> None:
    tab, *_ = shown(browser, files["estimated"], DESKTOP)

    guessed = tab.locator("#s-table th.unranked")
    assert guessed.count() >= 1
    assert guessed.locator("button").count() == 0
    assert guessed.first.get_attribute("title") == "Estimates and models are not ranked."
    tab.context.close()


@pytest.mark.parametrize("reach", ["focus", "hover"])
def test_a_point_of_the_figure_says_its_values(
    browser: Any, files: dict[str, Path], reach: str
) -> None:
    tab, *_ = shown(browser, files["measured"], PHONE)
    dot = tab.locator(".dot").last
    assert tab.locator("#tip").is_hidden()

    if reach == "focus":
        dot.focus()
    else:
        dot.scroll_into_view_if_needed()
        at = dot.locator(".reach").bounding_box()
        tab.mouse.move(at["x"] + at["width"] / 2, at["y"] + at["height"] / 2)
    assert tab.locator("#tip").is_visible()
    assert tab.locator("#tip").text_content() == dot.get_attribute("aria-label")
    assert "mJ per image" in (tab.locator("#tip").text_content() or "")
    box = tab.locator("#tip").bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= PHONE["width"]
    tab.keyboard.press("Escape")
    assert tab.locator("#tip").is_hidden()
    tab.context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["measured", "estimated", "crossed"])
def test_every_word_has_contrast_in_light_and_in_dark(
    browser: Any, files: dict[str, Path], name: str, scheme: str
) -> None:
    tab, *_ = shown(browser, files[name], DESKTOP, color_scheme=scheme)
    tab.click("#fold")
    found = tab.evaluate(CONTRAST)

    assert len(found) > 100
    assert [each for each in found if each[0] < 4.5] == []
    tab.context.close()


def test_the_button_turns_light_into_dark_and_back(browser: Any, files: dict[str, Path]) -> None:
    tab, *_ = shown(browser, files["measured"], DESKTOP, color_scheme="light")
    ground = "getComputedStyle(document.body).backgroundColor"
    light = tab.evaluate(ground)

    assert tab.locator("#theme").text_content() == "Dark"
    tab.click("#theme")
    dark = tab.evaluate(ground)
    assert tab.locator("#theme").text_content() == "Light"
    tab.click("#theme")

    assert tab.evaluate(ground) == light != dark
    tab.context.close()


def test_a_link_of_the_contents_opens_what_it_leads_to(
    browser: Any, files: dict[str, Path]
) -> None:
    tab, *_ = shown(browser, files["measured"], DESKTOP)
    tab.click(".toc > summary")
    tab.locator(".toc a", has_text="Caveats").click()

    tab.wait_for_function("document.getElementById('s-caveats-1').open")
    assert not tab.locator(".toc").evaluate("toc => toc.open")
    tab.context.close()


@pytest.mark.parametrize("number", range(len(ATTACKS)))
def test_nothing_of_a_hostile_journal_runs(
    browser: Any, files: dict[str, Path], number: int
) -> None:
    path = files[f"hostile{number}"]
    tab, asked, complaints = shown(browser, path, PHONE)
    tab.click("#fold")

    assert tab.evaluate("window.__pwned") is None
    assert complaints == []
    assert [url for url in asked if not url.startswith("data:")] == [path.as_uri()]
    assert tab.evaluate(WIDE) <= 0
    tab.context.close()


def test_the_page_reads_without_its_script(browser: Any, files: dict[str, Path]) -> None:
    tab, *_ = shown(browser, files["measured"], DESKTOP, java_script_enabled=False)

    assert tab.locator("h1").is_visible()
    assert tab.locator("#theme").is_hidden()
    assert tab.locator("#s-table th button").count() == 0
    tab.context.close()


def test_paper_shows_what_is_folded(browser: Any, files: dict[str, Path]) -> None:
    tab, *_ = shown(browser, files["measured"], DESKTOP)
    tab.emulate_media(media="print")
    assert tab.locator(".bar").is_hidden()
    tab.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert tab.eval_on_selector_all("main details", "all => all.every(d => d.open)")
    tab.evaluate("dispatchEvent(new Event('afterprint'))")

    assert not tab.eval_on_selector_all("main details", "all => all.some(d => d.open)")
    tab.context.close()
