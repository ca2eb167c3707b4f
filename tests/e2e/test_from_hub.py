"""A dataset of the hub by name, from a hub that plays on this machine: named, downloaded, looked at, kept."""

import pytest
from launch import Server
from steps import until

from tests.making.datasethub import serve


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    place = tmp_path_factory.mktemp("hub")
    (place / "some").mkdir()
    (place / "some" / "train.csv").write_text(
        "question,answer\n" + "".join(f"where is room {i},room {i} is on floor {i % 9}\n" for i in range(400))
    )
    with serve({"some/rooms": place / "some"}, []) as address:
        server = Server(place / "workspace", HF_ENDPOINT=address, HF_HUB_OFFLINE="0", HF_HOME=str(place / "home"))
        server.start()
        yield server
        server.end()


def test_a_dataset_is_taken_from_the_hub_looked_at_and_kept(server, open_page):
    page = open_page(server.url)
    page.locator("#tab-data-button").click()
    page.get_by_text("Take a dataset of the hub").click()
    page.locator("#hub-name textarea, #hub-name input").fill("some/nothing")
    page.locator("#hub-download").click()
    said = until(lambda: "no dataset" in (t := page.locator("#hub-progress").inner_text()) and t, 40, "a refusal")
    assert "The hub has no dataset 'some/nothing'" in said
    assert "Check the spelling" in said
    page.locator("#hub-name textarea, #hub-name input").fill("some/rooms")
    page.locator("#hub-rows input").fill("300")
    page.locator("#hub-download").click()
    page.wait_for_selector("#data-upload-panel", timeout=40_000)
    assert "The first 300 rows came from the hub" in page.locator("#hub-said").inner_text()
    assert "some rooms train.parquet" in page.locator("#data-dialect").inner_text()
    assert page.locator("#data-name input, #data-name textarea").input_value() == "some rooms train"
    page.locator("#data-save").click()
    until(lambda: "dataset=" in page.evaluate("location.search"), 20, "a dataset in the address")
