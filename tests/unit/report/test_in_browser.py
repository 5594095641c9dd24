"""The page in headless Chromium: searched, clicked, zoomed, by pointer and by keyboard, and nothing on the console."""

from __future__ import annotations

import base64
import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from pmi_spark.report.build import VECTOR_BYTES
from pmi_spark.report.word_space import PackedSpace, Space, pack

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
DRIVER = shutil.which("chromedriver")
pytestmark = pytest.mark.skipif(
    not (CHROMIUM and DRIVER), reason="no Chromium with its driver: apt-get install chromium chromium-driver"
)
OPTIONS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1280,1000",
    # A click must not come while the page still glides to its place.
    "--force-prefers-reduced-motion",
)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator:
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for option in (*OPTIONS, f"--user-data-dir={tmp_path_factory.mktemp('chromium')}"):
        options.add_argument(option)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    driver.implicitly_wait(10)
    yield driver
    driver.quit()


@pytest.fixture
def opened(browser, page: Path) -> Iterator:
    """The page as it opens; afterwards, that it said nothing on the console and asked for nothing but itself."""
    browser.get("about:blank")
    browser.get_log("performance")
    browser.get(page.as_uri())
    yield browser
    assert browser.get_log("browser") == []
    asked = [
        entry["message"] for entry in browser.get_log("performance") if "Network.requestWillBeSent" in entry["message"]
    ]
    assert all('"url":"file:' in message or '"url":"about:blank' in message for message in asked), asked


@pytest.fixture(scope="module")
def packed_space(space: Space) -> PackedSpace:
    return pack(space, VECTOR_BYTES)


def by_id(browser, name: str):
    return browser.find_element("id", name)


def wait_for(browser, condition) -> None:
    from selenium.webdriver.support.ui import WebDriverWait

    WebDriverWait(browser, 20).until(lambda _: condition())


def search(browser, word: str) -> None:
    field = by_id(browser, "query")
    field.clear()
    field.send_keys(word)
    by_id(browser, "search-form").submit()
    wait_for(browser, lambda: shown_word(browser) == word)


def shown_word(browser) -> str:
    return browser.execute_script("return document.querySelector('#answer-word strong')?.textContent ?? ''")


def answers(browser, name: str) -> list[tuple[str, float]]:
    script = """return [...document.querySelectorAll(`#${arguments[0]} li`)].map(
        (item) => [item.querySelector("a").textContent, item.querySelector(".number").textContent])"""
    return [(word, float(number)) for word, number in browser.execute_script(script, name)]


def zoom_of(browser) -> float:
    browser.execute_async_script("requestAnimationFrame(() => requestAnimationFrame(arguments[0]))")
    return float(by_id(browser, "map-canvas").get_attribute("data-zoom"))


@pytest.mark.parametrize("word", ["word7", "ünï", "漢字", "100%", "<script>alert(1)</script>", "\"quoted\"'word'"])
def test_a_word_has_the_neighbours_that_the_vectors_give_it(opened, packed_space, word):
    search(opened, word)
    own = packed_space.words.index(word)
    for name, ask, digits in (("similar", packed_space.similar, 3), ("related", packed_space.related, 2)):
        expected = [(packed_space.words[place], score) for place, score in ask(own, 10)]
        found = answers(opened, name)
        assert [answer for answer, _ in found] == [answer for answer, _ in expected]
        assert [score for _, score in found] == pytest.approx([score for _, score in expected], abs=0.6 * 10**-digits)


def test_a_neighbour_is_clicked_and_the_way_back_leads_back(opened):
    search(opened, "word7")
    neighbour = answers(opened, "similar")[0][0]
    opened.find_element("css selector", "#similar a").click()
    wait_for(opened, lambda: shown_word(opened) == neighbour)
    assert opened.current_url.endswith(f"#word={quote(neighbour)}")
    assert "word7" in [word for word, _ in answers(opened, "similar")]
    opened.back()
    wait_for(opened, lambda: shown_word(opened) == "word7")


def test_an_address_with_a_word_opens_with_its_answer(opened, page):
    opened.get("about:blank")
    opened.get(f"{page.as_uri()}#word={quote('<!--')}")
    wait_for(opened, lambda: shown_word(opened) == "<!--")
    assert len(answers(opened, "related")) == 10


def test_words_that_look_like_markup_are_text(opened):
    search(opened, "<script>alert(1)</script>")
    assert opened.execute_script("return document.querySelectorAll('#answer script, #suggestions script').length") == 0
    by_id(opened, "query").clear()
    by_id(opened, "query").send_keys("<")
    options = [entry.text.split("\n")[0] for entry in opened.find_elements("css selector", "#suggestions li")]
    assert options == ["<script>alert(1)</script>", "</script>", "<!--"]


def test_suggestions_are_taken_by_keyboard_alone(opened):
    from selenium.webdriver.common.keys import Keys

    field = by_id(opened, "query")
    field.send_keys("word12")
    assert field.get_attribute("aria-expanded") == "true"
    field.send_keys(Keys.ARROW_DOWN, Keys.ARROW_UP)
    assert field.get_attribute("aria-activedescendant") is None
    field.send_keys(Keys.ARROW_DOWN, Keys.ARROW_DOWN)
    chosen = by_id(opened, field.get_attribute("aria-activedescendant"))
    assert chosen.get_attribute("aria-selected") == "true"
    word = chosen.text.split("\n")[0]
    assert word.startswith("word12")
    assert word != "word12"
    field.send_keys(Keys.ENTER)
    wait_for(opened, lambda: shown_word(opened) == word)
    assert field.get_attribute("aria-expanded") == "false"


def test_an_unknown_word_is_said_to_be_one(opened):
    by_id(opened, "query").send_keys("wordless")
    by_id(opened, "search-form").submit()
    wait_for(opened, lambda: "wordless is not among the words" in by_id(opened, "answer-word").text)
    assert "word0" in by_id(opened, "answer-word").text
    assert not by_id(opened, "similar").is_displayed()


def test_the_map_is_zoomed_by_buttons_wheel_and_keys(opened):
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.actions.wheel_input import ScrollOrigin
    from selenium.webdriver.common.keys import Keys

    canvas = by_id(opened, "map-canvas")
    opened.execute_script("arguments[0].scrollIntoView({block: 'center'})", canvas)
    assert zoom_of(opened) == 1
    by_id(opened, "zoom-in").click()
    by_buttons = zoom_of(opened)
    assert by_buttons > 1
    # Without the focus the wheel belongs to the page.
    origin = ScrollOrigin.from_element(canvas)
    ActionChains(opened).scroll_from_origin(origin, 0, -200).perform()
    assert zoom_of(opened) == by_buttons
    canvas.send_keys("+")
    by_keys = zoom_of(opened)
    assert by_keys > by_buttons
    opened.execute_script("arguments[0].scrollIntoView({block: 'center'})", canvas)
    ActionChains(opened).scroll_from_origin(origin, 0, -200).perform()
    wait_for(opened, lambda: zoom_of(opened) > by_keys)
    canvas.send_keys("-", Keys.ARROW_LEFT)
    assert "At the cross: " in by_id(opened, "map-place").text
    canvas.send_keys("0")
    assert zoom_of(opened) == 1


def test_more_labels_find_room_as_the_map_is_zoomed(opened, packed_space):
    zoom_of(opened)
    canvas = by_id(opened, "map-canvas")
    whole = int(canvas.get_attribute("data-labels"))
    assert 5 < whole < len(packed_space.words)


def test_the_word_at_the_cross_is_searched_from_the_map(opened):
    from selenium.webdriver.common.keys import Keys

    canvas = by_id(opened, "map-canvas")
    canvas.send_keys("+", "+", "+")
    told = by_id(opened, "map-place").text
    canvas.send_keys(Keys.ENTER)
    wait_for(opened, lambda: shown_word(opened) != "")
    assert told.startswith(f"At the cross: {shown_word(opened)}: ")


def test_a_word_of_the_map_is_clicked(opened):
    from selenium.webdriver.common.action_chains import ActionChains

    search(opened, "word3")
    by_id(opened, "zoom-word").click()
    assert zoom_of(opened) >= 8
    canvas = by_id(opened, "map-canvas")
    search(opened, "word4")
    opened.execute_script("arguments[0].scrollIntoView({block: 'center'})", canvas)
    # The view is still centred on the former word.
    ActionChains(opened).move_to_element(canvas).click().perform()
    wait_for(opened, lambda: shown_word(opened) == "word3")


def test_layouts_and_clusters_are_chosen(opened):
    names = [button.text for button in opened.find_elements("css selector", "#layouts button")]
    assert names == ["t-SNE", "PCA"]
    opened.find_elements("css selector", "#layouts button")[1].click()
    assert "principal axes" in by_id(opened, "map-note").text
    first, second = opened.find_elements("css selector", "#clusters button")[:2]
    first.click()
    second.click()
    assert [button.get_attribute("aria-pressed") for button in (first, second)] == ["false", "true"]


def test_values_of_a_chart_are_read_by_keyboard(opened):
    from selenium.webdriver.common.keys import Keys

    plot = opened.find_element("css selector", "#ranks .plot")
    readout = by_id(opened, "ranks-readout")
    plot.send_keys(Keys.ARROW_RIGHT)
    assert readout.text == "rank 1: 9,005 occurrences"
    plot.send_keys(Keys.ARROW_RIGHT)
    assert readout.text.startswith("rank 2: ")
    plot.send_keys(Keys.END)
    assert readout.text.startswith("rank 240: ")
    assert len(opened.find_elements("css selector", "#ranks .stop.on")) == 1


def luminance(colour: list[float]) -> float:
    parts = [part / 255 for part in colour]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(first: list[float], second: list[float]) -> float:
    """WCAG 2: 1 to 21."""
    high, low = sorted((luminance(first), luminance(second)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def colour_of(browser, selector: str, name: str) -> list[float]:
    script = "return getComputedStyle(document.querySelector(arguments[0])).getPropertyValue(arguments[1])"
    found = browser.execute_script(script, selector, name)
    return [float(part) for part in found[found.index("(") + 1 : -1].split(",")[:3]]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_and_marks_stand_out_from_the_paper(opened, scheme):
    opened.execute_cdp_cmd(
        "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    )
    paper = colour_of(opened, "body", "background-color")
    assert (luminance(paper) < 0.1) == (scheme == "dark")
    for selector, name in (("body", "color"), (".small", "color"), ("nav a", "color"), (".chart text", "fill")):
        assert contrast(paper, colour_of(opened, selector, name)) >= 4.5, selector
    for selector, name in (
        (".chart .line.first", "stroke"),
        (".chart .line.second", "stroke"),
        ("rect.bar.first", "fill"),
    ):
        assert contrast(paper, colour_of(opened, f"figure {selector}", name)) >= 3, selector
    opened.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def test_the_colours_are_chosen_and_kept(opened, page):
    button = by_id(opened, "theme")
    for wanted in ("light", "dark"):
        button.click()
        assert button.text == f"Colours: {wanted}"
    assert luminance(colour_of(opened, "body", "background-color")) < 0.1
    opened.get(page.as_uri())
    assert by_id(opened, "theme").text == "Colours: dark"
    by_id(opened, "theme").click()
    assert by_id(opened, "theme").text == "Colours: system"


@pytest.mark.parametrize("width", [400, 1280])
def test_nothing_is_wider_than_the_window(opened, width):
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    opened.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    search(opened, "word1")
    assert opened.execute_script("return document.documentElement.scrollWidth") <= width
    picture = opened.execute_cdp_cmd("Page.captureScreenshot", {"captureBeyondViewport": True})
    assert len(base64.b64decode(picture["data"])) > 10_000
    opened.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
