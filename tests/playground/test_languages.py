"""The page in English and in Turkish: nothing is missing, and a question is sent as it was typed."""

from __future__ import annotations

import json
import re
from importlib import resources
from pathlib import Path

import pytest

from tests.conftest import picture
from tests.http.live import Live
from tests.playground.browser import Browser, Page
from tests.playground.conftest import url_of

PAGE = resources.files("vidi") / "playground"
FILES = {
    file.name: file.read_text("utf-8") for file in PAGE.iterdir() if file.name.endswith((".js", ".html"))
}
STRING = re.compile(r"^  (\w+): '((?:[^'\\]|\\.)*)',$", re.MULTILINE)
STRINGS = {name: dict(STRING.findall(FILES[f"{name}.js"])) for name in ("en", "tr")}
SLOT = re.compile(r"\{\w+\}")


def test_no_string_is_missing_in_a_language() -> None:
    assert STRINGS["en"]
    assert list(STRINGS["en"]) == list(STRINGS["tr"])
    assert {name: text.count("\n  ") for name, text in FILES.items() if name == "en.js"} == {
        "en.js": FILES["tr.js"].count("\n  ")
    }, "a line that is no string"
    assert all(text.strip() for strings in STRINGS.values() for text in strings.values())
    for key, text in STRINGS["en"].items():
        assert sorted(SLOT.findall(text)) == sorted(SLOT.findall(STRINGS["tr"][key])), key


def test_every_string_is_used_and_every_used_one_is_there() -> None:
    code = "\n".join(text for name, text in FILES.items() if name not in ("en.js", "tr.js"))
    used = set(re.findall(r"\bsay\('(\w+)'", code)) | set(re.findall(r'data-say(?:-\w+)?="(\w+)"', code))
    assert used <= set(STRINGS["en"])
    mentioned = used | set(re.findall(r"\b(\w+)(?:'|: |, | \})", code))
    made = {f"{kind}{ending}" for kind in ("boxes", "points", "masks") for ending in ("Asks", "Form")}
    assert set(STRINGS["en"]) - mentioned - made == set()


def test_the_page_itself_has_no_words_of_its_own() -> None:
    body = re.sub(r"<noscript>.*</noscript>", "", FILES["index.html"].split("<body>")[1])
    assert re.sub(r"<[^>]*>|\s|Vidi", "", body) == ""
    assert not re.findall(r'\s(?:aria-label|placeholder|title)="', body)


def opened(browser: Browser, server: Live, locale: str) -> Page:
    """The page in a browser of this language."""
    return browser.open(url_of(server), locale=locale)


def test_the_browser_chooses_the_language_and_the_switch_changes_it(browser: Browser, server: Live) -> None:
    for locale, ask in (("tr-TR", "Sor"), ("en-GB", "Ask"), ("de-DE", "Ask")):
        page = opened(browser, server, locale)
        assert page.text("#send") == ask
    page.call("fill", "#prompt", "still here")
    page.call("click", "#tongues [lang=tr]")
    assert page.text("#send") == "Sor"
    assert page.look("document.documentElement.lang") == "tr"
    assert page.look("document.activeElement.lang") == "tr"
    assert page.prompt() == "still here"
    page.call("reload")
    page.wait("Boolean(document.querySelector('#model').dataset.loaded)")
    assert page.text("#send") == "Sor"


@pytest.mark.parametrize("locale", ["tr-TR", "en-US"])
@pytest.mark.parametrize("question", ["Arabaları bul", "Find the cars"])
def test_a_question_about_one_picture_is_sent_as_it_was_typed(
    browser: Browser, server: Live, photo: Path, locale: str, question: str
) -> None:
    page = browser.open(url_of(server), script=SENT, locale=locale)
    page.drop(photo)
    page.ask(question, "boxes")
    page.ended()
    assert sent_text(page) == question


@pytest.mark.parametrize("locale", ["tr-TR", "en-US"])
@pytest.mark.parametrize(
    ("question", "beginning", "foreign"),
    [
        ("Arabaları bul", "Arabaları bul. Yanıt ", {"answer", "the", "with", "list"}),
        ("Find the cars!", "Find the cars! Answer ", {"yanıt", "olsun", "dizisi"}),
    ],
)
def test_what_is_added_for_several_pictures_is_in_the_questions_language(
    browser: Browser,
    server: Live,
    photo: Path,
    tmp_path: Path,
    locale: str,
    question: str,
    beginning: str,
    foreign: set[str],
) -> None:
    page = browser.open(url_of(server), script=SENT, locale=locale)
    second = tmp_path / "second.png"
    second.write_bytes(picture(300, 200))
    page.drop(photo, second)
    page.ask(question, "boxes")
    page.ended()
    text = sent_text(page)
    assert text.startswith(beginning)
    assert "[ymin, xmin, ymax, xmax]" in text
    assert not foreign & set(re.findall(r"\w+", text.lower()))


SENT = """
  const real = fetch;
  globalThis.fetch = (url, options) => {
    if (String(url).includes('stream')) globalThis.sent = options.body;
    return real(url, options);
  };
"""


def sent_text(page: Page) -> str:
    """The text of the last request for an answer."""
    body = json.loads(page.look("globalThis.sent"))
    return str(body["contents"][-1]["parts"][-1]["text"])
