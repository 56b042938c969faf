"""Every page at three widths: nothing sticks out, nothing to press is small, fields have names, text stands out."""

from __future__ import annotations

import pytest

from tests.browser.conftest import Site

pytestmark = pytest.mark.browser

WIDTHS = {"desk": (1280, 900), "tablet": (820, 1180), "phone": (390, 844)}
OPEN = ["/", "/login", "/verify", "/problems", "/nowhere"]
PRIVATE = ["/batches", "/batches/MI-C", "/batches/IN-C", "/receipts/new", "/steps/new", "/entries/5", "/entries/7"]

# Links within running text may be small; what stands alone and is pressed may not.
SMALL = """() => [...document.querySelectorAll(
    "button, input:not([type=hidden]), select, summary, .button, .nav a, .link-row a")]
  .filter((e) => e.offsetParent !== null)
  .map((e) => [e.getBoundingClientRect().height, e.outerHTML.slice(0, 80)])
  .filter(([height]) => height < 48)"""

NAMELESS = """() => [...document.querySelectorAll("input:not([type=hidden]), select")]
  .filter((e) => ![...(e.labels ?? [])].some((label) => label.textContent.trim()) && !e.getAttribute("aria-label"))
  .map((e) => e.outerHTML.slice(0, 80))"""

TWICE = """() => {
  const ids = [...document.querySelectorAll("[id]")].map((e) => e.id);
  return ids.filter((id, i) => ids.indexOf(id) !== i);
}"""

# WCAG 2.2, 1.4.3: 4.5 to 1 for text, 3 to 1 for large text (24 px; bold 18.66 px). A drawing's text stands on its box.
FAINT = """() => {
  const parse = (text) => (text.match(/[\\d.]+/g) ?? [0, 0, 0, 0]).map(Number);
  const luminance = ([r, g, b]) => {
    const linear = (c) => (c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    const [x, y, z] = [r, g, b].map((c) => linear(c / 255));
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const behind = (element) => {
    for (let e = element; e; e = e.parentElement) {
      const rect = e.namespaceURI.endsWith("svg") ? e.querySelector?.(":scope > rect") : null;
      if (rect && rect !== element) return parse(getComputedStyle(rect).fill);
      const colour = parse(getComputedStyle(e).backgroundColor);
      if (colour.length === 3 || colour[3] === 1) return colour;
    }
    return [255, 255, 255];
  };
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.textContent.trim() || !element.checkVisibility()) continue;
    const style = getComputedStyle(element);
    const isSvg = element.namespaceURI.endsWith("svg");
    if (isSvg && element.tagName !== "text") continue;
    const front = luminance(parse(isSvg ? style.fill : style.color)), back = luminance(behind(element));
    const ratio = (Math.max(front, back) + 0.05) / (Math.min(front, back) + 0.05);
    const size = parseFloat(style.fontSize);
    const needed = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700) ? 3 : 4.5;
    if (ratio < needed) found.push([ratio.toFixed(2), walker.currentNode.textContent.trim().slice(0, 40)]);
  }
  return found;
}"""


@pytest.mark.parametrize("width", WIDTHS)
def test_pages_fit_their_width_and_can_be_pressed_read_and_named(site: Site, width: str) -> None:
    site.plant.certificate()
    for page, paths in (
        (site.visitor(*WIDTHS[width]), OPEN),
        (site.operator(width=WIDTHS[width][0], height=WIDTHS[width][1]), PRIVATE),
    ):
        for path in paths:
            page.goto(path)
            sticks_out = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            assert sticks_out <= 0, path
            assert page.evaluate(SMALL) == [], path
            assert page.evaluate(NAMELESS) == [], path
            assert page.evaluate(TWICE) == [], path
            assert page.evaluate(FAINT) == [], path
            assert page.locator("h1").count() == 1, path
            assert page.locator("html").get_attribute("lang") == "en"


def test_the_check_for_faint_text_sees_it(site: Site) -> None:
    page = site.visitor(bypass_csp=True)
    page.goto("/verify")
    page.evaluate("document.querySelector('.lead').style.color = '#aab'")
    assert len(page.evaluate(FAINT)) == 1


def test_the_first_stop_of_the_keyboard_skips_to_the_content(site: Site) -> None:
    page = site.visitor()
    page.goto("/")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.keyboard.press("Enter")
    assert page.url.endswith("#main")
