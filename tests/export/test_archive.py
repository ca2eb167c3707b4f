import zipfile

import numpy as np
import pytest

from studio.errors import NotFound
from studio.export.archive import zip_model
from studio.search.warm import load


def test_an_unpacked_archive_is_the_model(static_model, tmp_path):
    folder = tmp_path / "model"
    static_model.save_pretrained(str(folder))
    zip_model(folder, tmp_path / "out" / "my-run.zip")
    with zipfile.ZipFile(tmp_path / "out" / "my-run.zip") as archive:
        assert archive.testzip() is None
        archive.extractall(tmp_path / "unpacked")
    assert [path.name for path in (tmp_path / "unpacked").iterdir()] == ["my-run"]
    again = load(str(tmp_path / "unpacked" / "my-run"))
    np.testing.assert_allclose(again.encode("a text"), static_model.encode("a text"), atol=1e-6)


def test_a_second_archive_replaces_the_first(static_model, tmp_path):
    folder = tmp_path / "model"
    static_model.save_pretrained(str(folder))
    out = tmp_path / "model.zip"
    zip_model(folder, out)
    (folder / "more.txt").write_text("more")
    zip_model(folder, out)
    assert "model/more.txt" in zipfile.ZipFile(out).namelist()
    assert [path.name for path in tmp_path.glob(".*")] == []


def test_a_folder_without_a_model_makes_no_archive(tmp_path):
    (tmp_path / "model").mkdir()
    with pytest.raises(NotFound):
        zip_model(tmp_path / "model", tmp_path / "model.zip")
    assert not (tmp_path / "model.zip").exists()
