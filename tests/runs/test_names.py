import pytest

from studio.runs.names import MAX_NAME, display_name, safe_file_name


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ("table.csv", "table.csv"),
        ("/etc/passwd", "passwd"),
        ("..\\..\\boot.ini", "boot.ini"),
        ("../..", "table"),
        (".hidden.csv", "hidden.csv"),
        ("a\x00b\n.csv", "ab.csv"),
        ("what?*.csv", "what_.csv"),
        ("con.csv", "_con.csv"),
        ("", "table"),
        ("Fragen über Züge.csv", "Fragen über Züge.csv"),
        ("\u202egnp.csv", "gnp.csv"),
    ],
)
def test_file_names_become_harmless(given, stored):
    assert safe_file_name(given, "table") == stored


def test_long_file_names_keep_their_ending():
    name = safe_file_name("ü" * 300 + ".parquet")
    assert name.endswith(".parquet")
    assert len(name.encode()) <= 200


def test_names_are_one_line():
    assert display_name("  two\n lines\t", "x") == "two lines"
    assert display_name(" \n ", "default") == "default"
    assert len(display_name("long " * 100, "x")) <= MAX_NAME
