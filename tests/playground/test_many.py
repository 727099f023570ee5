"""A question about each of many pictures: a strip with progress, a table, files to take along."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from tests.conftest import picture
from tests.http.live import Live
from tests.playground.browser import Browser, Page
from tests.playground.conftest import url_of
from tests.playground.test_comfort import PHONE
from tests.playground.test_overlay import BOXES

# Answers by the test: `reply` makes one of the number of the question, after `hold` milliseconds; `most` is
# how many were under way at once.
SCRIPTED = """
  const real = fetch;
  Object.assign(globalThis, { under: 0, most: 0, count: 0 });
  globalThis.hold = (number) => 0;
  globalThis.reply = (number) => `Answer ${number}`;
  globalThis.fetch = async (url, options) => {
    if (!String(url).includes('stream')) return real(url, options);
    const number = ++count;
    most = Math.max(most, ++under);
    try {
      await new Promise((resolve, reject) => {
        setTimeout(resolve, hold(number));
        options.signal.addEventListener('abort', () => reject(options.signal.reason));
      });
    } finally {
      under--;
    }
    const said = reply(number, JSON.parse(options.body));
    if (said instanceof Response) return said;
    const candidate = { content: { parts: [{ text: said }] }, finishReason: 'STOP' };
    const usageMetadata = { promptTokenCount: 7, candidatesTokenCount: 3 };
    return new Response(`data: ${JSON.stringify({ candidates: [candidate], usageMetadata })}\\n\\n`);
  };
"""

ROWS = """[...document.querySelectorAll('#table tbody tr')].map((row) =>
  [...row.children].map((cell) => cell.textContent))"""


def photos(folder: Path, count: int) -> list[Path]:
    """So many pictures of different sizes."""
    files = [folder / f"p{number:02}.png" for number in range(count)]
    for number, file in enumerate(files):
        file.write_bytes(picture(40 + number, 30))
    return files


@pytest.fixture
def many(browser: Browser, server: Live, tmp_path: Path) -> Page:
    """A page with seven pictures whose answers are scripted."""
    page = browser.open(url_of(server), script=SCRIPTED)
    page.drop(*photos(tmp_path, 7))
    return page


def finish(page: Page) -> None:
    """Until no question is under way."""
    page.wait("document.querySelector('#stop').hidden")


def column(page: Page, at: int) -> list[str]:
    """A column of the table."""
    return [row[at] for row in page.look(ROWS)]


def saved(page: Page, label: str) -> bytes:
    """The file that a button of the table gives."""
    return page.download(f"#table button:text-is('{label}')")[1]


def lines(page: Page) -> list[list[str]]:
    """The table as CSV, read as a spreadsheet would."""
    return list(csv.reader(io.StringIO(saved(page, "Save as CSV").decode("utf-8-sig"))))


def test_many_pictures_are_asked_about_one_by_one_on_the_real_server(
    browser: Browser, server: Live, tmp_path: Path
) -> None:
    page = browser.open(url_of(server))
    page.drop(*photos(tmp_path, 6))
    assert page.call("isChecked", "#each")
    page.ask("what?")
    finish(page)
    assert page.look(ROWS) and [row[:2] for row in page.look(ROWS)] == [
        [f"p{number:02}.png", f"Echo: 1 image ({40 + number}x30), text: what?"] for number in range(6)
    ]
    assert page.text("#progress-text") == "6 of 6"
    states = page.look("[...document.querySelectorAll('#thumbs li')].map((each) => each.dataset.state)")
    assert states == ["done"] * 6


def test_few_pictures_are_asked_about_together_unless_one_says_so(
    browser: Browser, server: Live, tmp_path: Path
) -> None:
    page = browser.open(url_of(server))
    page.drop(*photos(tmp_path, 2))
    assert not page.call("isChecked", "#each")
    page.ask("both?")
    assert page.answer() == "Echo: 2 images (40x30, 41x30), text: both?"
    page.call("check", "#each")
    page.wait("document.querySelector('#count').textContent.endsWith('for the first picture')")
    page.ask("each?")
    finish(page)
    assert column(page, 1) == [f"Echo: 1 image ({width}x30), text: each?" for width in (40, 41)]


def test_a_bounded_number_is_under_way_at_once(many: Page) -> None:
    many.look("globalThis.hold = () => 60")
    many.ask("what?")
    finish(many)
    assert (many.look("most"), many.look("count")) == (3, 7)


def test_stop_works_and_the_rest_can_be_asked_later(many: Page) -> None:
    many.look("globalThis.hold = (number) => (number < 3 ? 0 : 1e6)")
    many.ask("what?")
    many.wait("count === 5 && under === 3")
    many.call("click", "#stop")
    finish(many)
    assert many.notice() == "Stopped."
    assert many.look("[count, under]") == [5, 0]
    assert column(many, 1).count("Waiting") == 5
    many.look("globalThis.hold = () => 0; reply = (number) => `Later ${number}`")
    many.call("click", "#table button:text-is('Ask about the rest')")
    many.wait("document.querySelector('#progress-text').textContent === '7 of 7'")
    finish(many)
    texts = column(many, 1)
    assert sum(text.startswith("Later") for text in texts) == 5
    assert sum(text.startswith("Answer") for text in texts) == 2
    assert not many.call("isVisible", "#table button:text-is('Ask about the rest')")


def test_a_refusal_costs_one_line_and_a_busy_server_is_asked_again(many: Page) -> None:
    many.look(
        """reply = (number) => {
             const refused = (status, message, headers) =>
               new Response(JSON.stringify({ error: { message } }), { status, headers });
             if (number === 2) return refused(429, 'Busy', { 'retry-after': '0.05' });
             return number === 4 ? refused(400, 'It is broken.') : `Answer ${number}`;
           }"""
    )
    many.ask("what?")
    finish(many)
    assert many.look("count") == 8
    texts = column(many, 1)
    assert sum(text.startswith("Answer") for text in texts) == 6
    assert texts.count("It is broken.") == 1
    assert many.text("#progress-text") == "7 of 7, 1 without a full answer"
    failed = [line for line in lines(many)[1:] if line[-1]]
    assert [line[-1] for line in failed] == ["It is broken."]


def test_a_row_shows_its_picture_with_its_boxes_and_can_be_asked_further(many: Page) -> None:
    many.look(f"reply = (number) => JSON.stringify({json.dumps(BOXES)}.slice(0, number % 3))")
    many.ask("Detect", "boxes")
    finish(many)
    texts = column(many, 1)
    at = texts.index("dog, room")
    many.call("click", f"#table tbody tr:nth-child({at + 1}) button")
    assert many.call("getAttribute", "#picture", "alt") == f"p{at:02}.png"
    assert [shape.title for shape in many.shapes()] == ["dog 0.90", "room 0.40"]
    nothing = texts.index("Nothing of that was found.")
    many.call("click", f"[aria-label='Show p{nothing:02}.png']")
    assert many.shapes() == []
    assert many.call("isVisible", "#nothing")
    many.call("click", f"[aria-label='Show p{at:02}.png']")
    assert len(many.shapes()) == 2
    many.look("reply = (number, body) => `After ${body.contents.length} turns`")
    many.call("check", "[name=as][value=text]")
    many.call("fill", "#next", "and?")
    many.call("press", "#next", "Enter")
    many.wait("document.querySelector('#answer').textContent === 'After 3 turns'")
    assert len(many.thumbs()) == 7
    assert many.call("isVisible", "#table")


def test_things_that_were_found_are_lines_of_the_csv(many: Page) -> None:
    many.look(f"reply = (number) => (number === 1 ? '[]' : JSON.stringify({json.dumps(BOXES[:2])}))")
    many.ask("Detect", "boxes")
    finish(many)
    head, *rest = lines(many)
    assert head == ["picture", "model", "label", "score", "ymin", "xmin", "ymax", "xmax", "error"]
    assert len(rest) == 1 + 6 * 2
    dogs = [line for line in rest if line[2] == "dog"]
    assert all(line[3:] == ["0.9", "100", "200", "300", "600", ""] for line in dogs)
    assert [line[2:] for line in rest if not line[2]] == [[""] * 7]
    value = json.loads(saved(many, "Save as JSON"))
    assert [each["picture"] for each in value] == [f"p{number:02}.png" for number in range(7)]
    assert sorted(len(each["answer"]) for each in value) == [0, 2, 2, 2, 2, 2, 2]


def test_members_of_json_answers_are_columns(many: Page) -> None:
    many.look(
        """reply = (number) => JSON.stringify(number % 2
             ? { caption: 'A "dog", sleeping', people: number }
             : { caption: '=1+1', colours: ['red'] })"""
    )
    many.ask("what?", "json")
    finish(many)
    heads = many.look("[...document.querySelectorAll('#table thead th')].map((each) => each.textContent)")
    assert sorted(heads) == sorted(["Picture", "caption", "people", "colours", "Seconds"])
    head, *rest = lines(many)
    assert head[0] == "picture"
    by_caption = {line[head.index("caption")]: line for line in rest}
    assert set(by_caption) == {'A "dog", sleeping', "'=1+1"}, "a formula of a stranger is text"
    assert by_caption["'=1+1"][head.index("colours")] == '["red"]'


TRIP = ["p1.jpg", "p9.png", "p10.png"]
"""The pictures of `trip`, by name."""


@pytest.fixture
def trip(tmp_path: Path) -> Path:
    """A folder with pictures at two depths, and with something else."""
    folder = tmp_path / "trip"
    inner = folder / "day 2"
    inner.mkdir(parents=True)
    for name in TRIP[1:]:
        (inner / name).write_bytes(picture(40, 30))
    (folder / TRIP[0]).write_bytes(picture(40, 30, "JPEG"))
    (folder / "notes.txt").write_text("not a picture", encoding="utf-8")
    return folder


def test_a_folder_gives_its_pictures_by_name(browser: Browser, server: Live, trip: Path) -> None:
    page = browser.open(url_of(server))
    chosen: str | list[str] = str(trip)
    if browser.name == "firefox":
        # WebDriver BiDi gives Firefox files alone: they come as its own window would give them for a folder.
        page.look("document.querySelector('#folder').removeAttribute('webkitdirectory')")
        chosen = [str(file) for file in trip.rglob("*.*")]
    page.call("setInputFiles", "#folder", chosen)
    page.wait("document.querySelectorAll('#thumbs li').length === 3")
    assert page.thumbs() == TRIP
    assert page.look("document.querySelector('#notice').hidden")


def test_a_dropped_folder_gives_its_pictures_at_any_depth(browser: Browser, server: Live, trip: Path) -> None:
    page = browser.open(url_of(server))
    browser.ask(dropFolder=str(trip))
    page.wait("document.querySelectorAll('#thumbs li').length === 3")
    assert page.thumbs() == TRIP
    assert page.look("document.querySelector('#notice').hidden")
    page.ask("what?")
    assert page.answer() == "Echo: 3 images (3 of 40x30), text: what?"


def test_two_hundred_pictures_stay_in_their_strip(browser: Browser, server: Live, tmp_path: Path) -> None:
    page = browser.open(url_of(server), script=SCRIPTED, **PHONE)
    page.drop(*photos(tmp_path, 200))
    assert len(page.thumbs()) == 200
    page.ask("what?")
    finish(page)
    assert page.look("[most, count]") == [3, 200]
    assert page.text("#progress-text") == "200 of 200"
    strip, width = page.look(
        "[document.querySelector('#thumbs').offsetHeight, document.documentElement.scrollWidth]"
    )
    assert strip < 844 / 4
    assert width <= 390


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_against_the_table(
    browser: Browser, server: Live, tmp_path: Path, scheme: str
) -> None:
    page = browser.open(url_of(server), script=SCRIPTED, colorScheme=scheme)
    page.drop(*photos(tmp_path, 5))
    page.look("globalThis.hold = () => 1e6")
    page.ask("what?")
    page.wait("under === 3")
    assert page.violations() == [], "under way"
    page.call("click", "#stop")
    finish(page)
    page.look("globalThis.hold = () => 0")
    page.ask("what?")
    finish(page)
    assert page.violations() == [], "done"


def test_the_table_speaks_the_other_language_too(many: Page) -> None:
    many.ask("what?")
    finish(many)
    many.call("click", "#tongues [lang=tr]")
    heads = many.look("[...document.querySelectorAll('#table thead th')].map((each) => each.textContent)")
    assert heads == ["Resim", "Yanıt", "Saniye"]
    assert many.text("#progress-text") == "7 resimden 7 tanesi"
