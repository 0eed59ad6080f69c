"""The page in a headless browser: all there, nothing wrong, wide and narrow, light and dark."""

import json
import re
import shutil
import subprocess

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed"),
    pytest.mark.timeout(600),
]
OPTIONS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
)
DARK = "--blink-settings=preferredColorScheme=0"
MEASURE = """
<script>
const box = element => element.getBoundingClientRect();
document.querySelectorAll('img').forEach(image => image.loading = 'eager');
const inside = element => element.closest('.scroll') !== null;
parent.postMessage(JSON.stringify({
  width: innerWidth,
  content: document.documentElement.scrollWidth,
  figures: [...document.querySelectorAll('figure')].map(f => f.querySelectorAll('svg').length),
  svgs: [...document.querySelectorAll('.panels svg')].filter(s => s.checkVisibility())
    .map(s => [box(s).width, box(s).height]),
  strips: [...document.querySelectorAll('.strip')].filter(s => s.checkVisibility())
    .map(s => [box(s).width, box(s).height]),
  cut: [...document.querySelectorAll('.results .scroll')]
    .filter(e => e.scrollWidth > e.clientWidth + 1).map(e => e.outerHTML.slice(0, 200)),
  said: [...document.querySelectorAll('.glance td.said, .glance td.time')]
    .filter(e => e.scrollWidth > e.clientWidth + 1).map(e => e.innerText),
  outside: [...document.querySelectorAll('main *')]
    .filter(e => !inside(e) && !e.closest('svg') && box(e).right > innerWidth + 1)
    .map(e => e.outerHTML.slice(0, 200)),
  texts: [...document.querySelectorAll('svg')].flatMap(s => [...s.querySelectorAll('text')]
    .filter(t => box(t).left < box(s).left - 12 || box(t).right > box(s).right + 12)
    .map(t => t.textContent)),
  smallest: Math.min(...[...document.querySelectorAll('.panels svg text')]
    .filter(t => t.checkVisibility()).map(t =>
    parseFloat(getComputedStyle(t).fontSize) * box(t.closest('svg')).width
      / t.closest('svg').viewBox.baseVal.width)),
  pictures: {
    all: document.images.length,
    shown: [...document.images].filter(i => i.naturalWidth > 0 && box(i).width > 20).length,
  },
  page: getComputedStyle(document.body).backgroundColor,
  ink: getComputedStyle(document.querySelector('.panels svg text')).fill,
}), '*');
</script>
"""
# A window has a least width; a frame has not.
FRAME = """<!DOCTYPE html>
<script>onmessage = found => document.documentElement.dataset.measured = found.data;</script>
<iframe src="measured.html" style="width: {width}px; height: 900px; border: 0"></iframe>
"""


def browse(tmp_path, page, *options):
    command = [CHROMIUM, *OPTIONS, f"--user-data-dir={tmp_path / 'profile'}", *options]
    return subprocess.run(
        [*command, page.as_uri()], capture_output=True, text=True, timeout=280, check=True
    )


def measure(tmp_path, page, width, *options):
    """Open a copy of the page that may run a script, and fetch what the script saw."""
    text = re.sub(r"<meta http-equiv[^>]*>", "", page.read_text())
    (tmp_path / "measured.html").write_text(text.replace("</body>", f"{MEASURE}</body>"))
    frame = tmp_path / "frame.html"
    frame.write_text(FRAME.format(width=width))
    options = ("--window-size=1300,1000", "--virtual-time-budget=5000", *options)
    dom = browse(tmp_path, frame, "--dump-dom", *options).stdout
    found = re.search(r'data-measured="([^"]*)"', dom)
    return json.loads(found[1].replace("&quot;", '"').replace("&lt;", "<").replace("&amp;", "&"))


def brightness(colour):
    return sum(map(float, re.findall(r"[\d.]+", colour)[:3])) / 3


def test_every_figure_is_drawn_on_a_wide_screen(report, tmp_path):
    found = measure(tmp_path, report[0], 1200)
    assert found["width"] == 1200
    assert len(found["figures"]) == 8
    assert min(found["figures"]) >= 1
    assert all(width > 200 and height > 100 for width, height in found["svgs"])
    assert all(width > 100 and height > 40 for width, height in found["strips"])
    assert found["content"] <= 1200
    assert found["cut"] == []
    assert found["said"] == []
    assert brightness(found["page"]) > 200 > 100 > brightness(found["ink"])


def test_a_narrow_screen_shows_all_without_scrolling_sideways(report, tmp_path):
    found = measure(tmp_path, report[0], 360)
    assert found["width"] == 360
    assert found["content"] <= 360
    assert found["outside"] == []
    assert found["texts"] == []
    assert found["smallest"] >= 9.0
    assert all(width > 200 and height > 100 for width, height in found["svgs"])
    assert all(width > 100 and height > 30 for width, height in found["strips"])
    assert found["said"] == []


@pytest.mark.parametrize("width", [1200, 400])
def test_the_page_of_a_run_fits_wide_and_narrow_screens(run_report, tmp_path, width):
    found = measure(tmp_path, run_report[0], width)
    assert found["width"] == width
    assert found["content"] <= width
    assert found["outside"] == []
    assert found["texts"] == []
    assert found["smallest"] >= 9.0
    assert found["figures"] == [4, 2]
    assert found["pictures"]["shown"] == found["pictures"]["all"] > 20
    assert brightness(found["page"]) > 200 > 100 > brightness(found["ink"])


def test_the_page_of_a_run_in_the_dark(run_report, tmp_path):
    found = measure(tmp_path, run_report[0], 400, DARK)
    assert brightness(found["page"]) < 60
    assert brightness(found["ink"]) > 200


def test_dark(report, tmp_path):
    found = measure(tmp_path, report[0], 1200, DARK)
    assert brightness(found["page"]) < 60
    assert brightness(found["ink"]) > 200


def test_nothing_is_reported_to_the_console(report, tmp_path):
    quiet = browse(tmp_path, report[0], "--enable-logging=stderr", "--v=0", "--dump-dom")
    assert "CONSOLE" not in quiet.stderr
    assert quiet.stdout.count("<svg") == report[0].read_text().count("<svg")
    # That an error would be seen:
    broken = tmp_path / "broken.html"
    broken.write_text(report[0].read_text().replace("</body>", "<script>1</script></body>"))
    loud = browse(tmp_path, broken, "--enable-logging=stderr", "--v=0", "--dump-dom")
    assert "CONSOLE" in loud.stderr


def test_print(report, tmp_path):
    file = tmp_path / "page.pdf"
    browse(tmp_path, report[0], "--no-pdf-header-footer", f"--print-to-pdf={file}")
    content = file.read_bytes()
    assert content.startswith(b"%PDF")
    assert len(re.findall(rb"/Type /Page\b", content)) >= 4
