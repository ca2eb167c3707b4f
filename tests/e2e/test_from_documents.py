"""From documents to pairs and to questions by a language model, as a person does it."""

import re

import pytest
from launch import Server
from playwright.sync_api import expect
from steps import address, until

from tests.making.languagemodel import KEY, MODEL, LanguageModel, slow

FAQ = "<title>Help</title><nav>Home</nav><main><h1>Help</h1><dl>" + "".join(
    f"<dt>What is a {name} card for?</dt><dd>A {name} card is for {what}, and it costs nothing in the first year.</dd>"
    for name, what in (("red", "trains"), ("blue", "shops"), ("green", "gardens"), ("grey", "museums"), ("gold", "hotels"))
) + "</dl></main>"  # fmt: skip


@pytest.fixture(scope="module")
def language_model():
    model = LanguageModel()
    yield model
    model.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory, language_model):
    """One whose host has configured a language model."""
    with pytest.MonkeyPatch.context() as environment:
        for name, value in (("URL", language_model.url), ("MODEL", MODEL), ("KEY", KEY), ("CONCURRENCY", "2")):
            environment.setenv(f"STUDIO_LLM_{name}", value)
        server = Server(tmp_path_factory.mktemp("e2e") / "workspace")
        server.start()
    yield server
    server.end()


def bring(page, repository):
    page.locator("#tab-data-button").click()
    page.locator("#documents button").first.click()
    guide = (repository / "docs" / "guide.md").read_bytes()
    files = [("guide.md", guide), ("faq.html", FAQ.encode()), ("torn.pdf", b"%PDF-1.4 torn")]
    page.set_input_files(
        "#documents-files input[type=file]",
        [{"name": name, "mimeType": "application/octet-stream", "buffer": content} for name, content in files],
    )
    expect(page.locator("#documents-pairs table")).to_be_visible()


def slide(page, elem_id, value):
    box = page.locator(f"#{elem_id} input[type=number]")
    box.fill(str(value))
    box.blur()


def test_documents_become_a_dataset_with_a_preview_that_follows(server, open_page, repository):
    page = open_page(server.url)
    bring(page, repository)
    expect(page.locator("#documents-library")).to_contain_text("1 file was not read")
    expect(page.locator("#documents-recipes")).to_contain_text("Question and answer: 5")
    before = page.locator("#documents-pairs h3").inner_text()
    slide(page, "documents-most_pairs", 3)
    until(lambda: page.locator("#documents-pairs h3").inner_text() != before, 20, "another preview")
    expect(page.locator("#documents-distance")).to_be_hidden()
    page.locator("#documents-recipes label", has_text="Sentence and its neighbour").click()
    expect(page.locator("#documents-distance")).to_be_visible()
    page.locator("#documents-recipes label", has_text="Question and answer").click()
    expect(page.locator("#documents-pairs")).to_contain_text(re.compile(r"What is a \w+ card for\?"))
    expect(page.locator("#documents-pairs")).to_contain_text("faq.html")
    slide(page, "documents-most_pairs", 20)
    expect(page.locator("#documents-recipes")).to_contain_text("Question and answer: 5")
    page.locator("#documents-name textarea, #documents-name input").fill("Our pages")
    page.locator("#documents-save").click()
    expect(page.locator("#data-report")).to_contain_text("Pairs made from 2 documents")
    expect(page.locator("#data-dataset input")).to_have_value(re.compile("^Our pages"))
    expect(page.locator("#documents-panel")).to_be_hidden()
    until(lambda: "dataset=" in address(page), 20, "a dataset in the address")


def test_questions_stop_and_go_on_from_the_page(server, open_page, repository, language_model):
    page = open_page(server.url)
    bring(page, repository)
    page.locator("#documents-queries-fold button").first.click()
    expect(page.locator("#documents-queries-cost")).to_contain_text(f"127.0.0.1 ({MODEL})")
    good, language_model.answer = language_model.answer, slow(0.5)
    page.locator("#documents-queries-start").click()
    until(lambda: len(language_model.requests) > 3, 60, "questions")
    page.locator("#documents-queries-progress button").click()
    expect(page.locator("#documents-queries-again")).to_be_visible(timeout=30_000)
    language_model.answer = good
    page.locator("#documents-queries-again").click()
    expect(page.locator("#data-report")).to_contain_text(f"Questions written by {MODEL} for", timeout=60_000)
    assert KEY not in page.content()
