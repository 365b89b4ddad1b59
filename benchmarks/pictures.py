"""Takes the pictures of the example page in docs/, with headless Chromium.

``python benchmarks/pictures.py`` after ``joulebench report JOURNAL -o docs/example-report.html``.
Needs the extra ``browser``, Pillow, and a Chromium of the system.
"""

import io
import shutil
from pathlib import Path

DOCS = Path(__file__).parents[1] / "docs"
PICTURES = {
    "desktop": ({"width": 1280, "height": 2420}, "light"),
    "phone": ({"width": 390, "height": 1800}, "light"),
    "dark": ({"width": 1280, "height": 2420}, "dark"),
}
"""Size of the window, and colour scheme."""


def main() -> None:
    """Writes ``docs/example-desktop.png``, ``-phone.png`` and ``-dark.png``, 256 colours each."""
    from PIL import Image
    from playwright.sync_api import sync_playwright

    page = (DOCS / "example-report.html").as_uri()
    with sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        for name, (size, scheme) in PICTURES.items():
            tab = browser.new_context(viewport=size, color_scheme=scheme).new_page()
            tab.goto(page)
            picture = Image.open(io.BytesIO(tab.screenshot())).convert("RGB")
            path = DOCS / f"example-{name}.png"
            picture.quantize(256, method=Image.Quantize.FASTOCTREE).save(path, optimize=True)
            print(f"wrote {path} ({path.stat().st_size} bytes)")
        browser.close()


if __name__ == "__main__":
    main()
