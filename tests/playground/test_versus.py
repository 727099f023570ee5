"""Two models side by side: the same pictures and question, a column each."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.http.live import Live
from tests.playground.browser import Browser, Page
from tests.playground.conftest import url_of
from tests.playground.test_comfort import PHONE
from tests.playground.test_overlay import BOXES

# A second model that the server does not have: its answers, and those of the first, are the test's.
TWO = """
  const real = fetch;
  const waiting = globalThis.waiting = {};
  globalThis.asked = [];
  globalThis.fetch = async (url, options) => {
    if (String(url).endsWith('/models')) {
      const { models } = await (await real(url, options)).json();
      const other = { ...models[0], name: 'models/other', displayName: 'The other' };
      return new Response(JSON.stringify({ models: [...models, other] }));
    }
    if (!String(url).includes('stream')) return real(url, options);
    const [, model] = /models\\/([^:]+):/.exec(url);
    asked.push([model, options.body]);
    const text = await new Promise((resolve, reject) => {
      waiting[model] = resolve;
      options.signal.addEventListener('abort', () => reject(options.signal.reason));
    });
    if (text === null) return new Response('{"error": {"message": "It is broken."}}', { status: 500 });
    const candidate = { content: { parts: [{ text }] }, finishReason: 'STOP' };
    const usageMetadata = { promptTokenCount: 7, candidatesTokenCount: 3 };
    const message = { candidates: [candidate], usageMetadata, modelVersion: model };
    return new Response(`data: ${JSON.stringify(message)}\\n\\n`);
  };
"""


def two(browser: Browser, server: Live, photo: Path, **options: object) -> Page:
    """A page with a picture and two models chosen."""
    page = browser.open(url_of(server), script=TWO, **options)
    page.drop(photo)
    page.call("selectOption", "#rival", "other")
    return page


def answers(page: Page, echo: object, other: object, kind: str = "text") -> None:
    """Ask both, and let them answer; None is an error of the server."""
    page.ask("Who?", kind)
    page.wait("Boolean(waiting.echo && waiting.other)")
    page.look(f"waiting.other({json.dumps(other)})")
    page.look(f"waiting.echo({json.dumps(echo)})")
    page.ended()
    page.wait("document.querySelector('#stop').hidden")


def columns(page: Page, selector: str) -> list[str]:
    """The text of an element of each column, as far as it is seen."""
    texts: list[str] = page.look(
        f"""[...document.querySelectorAll('#versus > section')].map((each) =>
             [...each.querySelectorAll({json.dumps(selector)})].filter((one) => one.offsetParent)
               .map((one) => one.textContent).join('|'))"""
    )
    return texts


def test_both_are_asked_the_same_and_answer_in_their_columns(
    browser: Browser, server: Live, photo: Path
) -> None:
    page = two(browser, server, photo)
    answers(page, "A dog.", "A cat.")
    (first, one), (second, other) = sorted(page.look("asked"))
    assert (first, second) == ("echo", "other")
    assert one == other
    assert len(json.loads(one)["contents"][0]["parts"]) == 2
    assert columns(page, "h2")[1] == "The other"
    assert columns(page, ".answer") == ["A dog.", "A cat."]
    assert [text.split("\N{NO-BREAK SPACE}· ")[:3] for text in columns(page, ".stats")] == [
        ["echo", "7 tokens in", "3 out"],
        ["other", "7 tokens in", "3 out"],
    ]
    asked = page.look(
        "[...document.querySelectorAll('#history li button > span > span:first-child')]"
        ".map((each) => each.textContent)"
    )
    assert set(asked) == {f"Who? · {name}" for name in columns(page, "h2")}


def test_each_has_its_own_boxes_on_the_picture(browser: Browser, server: Live, photo: Path) -> None:
    page = two(browser, server, photo)
    answers(page, json.dumps(BOXES), "[]", "boxes")
    assert columns(page, ".shape span")[1] == ""
    assert "dog 0.90" in columns(page, ".shape")[0]
    assert columns(page, ".nothing") == ["", "Nothing of that was found."]
    places = page.look(
        """(() => {
          const [frame, box] = ['#versus img', '#versus .shape'].map((each) =>
            document.querySelector(each).getBoundingClientRect());
          return [(box.top - frame.top) / frame.height, (box.left - frame.left) / frame.width];
        })()"""
    )
    assert places == pytest.approx([0.1, 0.2], abs=0.003)


def test_they_stand_beside_each_other_or_on_a_phone_one_above_the_other(
    browser: Browser, server: Live, photo: Path
) -> None:
    for options, beside in (({}, True), (PHONE, False)):
        page = two(browser, server, photo, **options)
        answers(page, json.dumps(BOXES[:1]), json.dumps(BOXES), "boxes")
        left, right = page.look(
            """[...document.querySelectorAll('#versus > section')].map((each) => {
                 const { left, top, right, bottom } = each.getBoundingClientRect();
                 return [left, top, right, bottom];
               })"""
        )
        assert (left[2] <= right[0]) == beside
        assert (left[3] <= right[1]) != beside
        assert page.look("document.documentElement.scrollWidth <= innerWidth")
        assert 0 <= page.look("document.querySelector('#versus').getBoundingClientRect().top") < 450


def test_an_error_of_one_leaves_the_other(browser: Browser, server: Live, photo: Path) -> None:
    page = two(browser, server, photo)
    answers(page, "A dog.", None)
    assert columns(page, ".answer") == ["A dog.", ""]
    assert columns(page, ".notice") == ["", "It is broken."]


def test_stop_ends_both(browser: Browser, server: Live, photo: Path) -> None:
    page = two(browser, server, photo)
    page.ask("Who?")
    page.wait("Boolean(waiting.echo && waiting.other)")
    page.call("click", "#stop")
    page.wait("document.querySelector('#stop').hidden")
    assert columns(page, ".notice") == ["Stopped.", "Stopped."]


def test_one_of_them_is_asked_further(browser: Browser, server: Live, photo: Path) -> None:
    page = two(browser, server, photo)
    answers(page, "A dog.", "A cat.")
    page.call("click", "#versus section:last-child button:text-is('Ask this model further')")
    assert not page.call("isVisible", "#versus")
    assert page.text("#answer") == "A cat."
    page.look("waiting.other = null")
    page.call("fill", "#next", "Sure?")
    page.call("press", "#next", "Enter")
    page.wait("Boolean(waiting.other)")
    page.look("waiting.other('Yes.')")
    page.wait("document.querySelector('#answer').textContent === 'Yes.'")
    model, body = page.look("asked").pop()
    assert model == "other"
    texts = [part.get("text") for turn in json.loads(body)["contents"] for part in turn["parts"]]
    assert texts == [None, "Who?", "A cat.", "Sure?"]


def test_the_same_model_twice_is_refused(browser: Browser, server: Live, photo: Path) -> None:
    page = two(browser, server, photo)
    page.call("selectOption", "#model", "other")
    page.ask("Who?")
    assert page.notice() == "Choose two different models to see them side by side."


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_against_two_columns(
    browser: Browser, server: Live, photo: Path, scheme: str
) -> None:
    page = two(browser, server, photo, colorScheme=scheme)
    answers(page, json.dumps(BOXES), "[]", "boxes")
    assert page.violations() == []
