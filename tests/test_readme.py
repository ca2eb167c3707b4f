"""README and docs say what is so: their commands run, their links and files exist, their settings are the real ones."""

import re
import runpy
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from studio.settings import Settings

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def commands() -> list[str]:
    """The lines of all sh blocks of README."""
    blocks = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if line.strip()]


def test_readme_shows_the_commands_that_matter():
    assert {"make run", "make test"} <= set(commands())
    assert {shlex.split(c)[1] for c in commands() if c.startswith("sentence-studio")} == {
        "check", "train", "search", "serve",
    }  # fmt: skip


@pytest.mark.parametrize("command", [c for c in commands() if c.startswith("make ")])
def test_make_targets_exist(command):
    done = subprocess.run([*shlex.split(command), "--dry-run"], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr


def test_commands_of_readme_run_as_written(tmp_path):
    """In order, in an empty folder that has the assets; serve is only shown to take its options."""
    (tmp_path / "assets").symlink_to(ROOT / "assets")
    known = ("make", "sentence-studio")
    for command in commands():
        program, *arguments = shlex.split(command)
        assert program in known
        if program == "make":
            continue
        if arguments[0] == "serve":
            arguments.append("--help")
        done = subprocess.run(
            [sys.executable, "-m", "studio", *arguments],
            capture_output=True, text=True, cwd=tmp_path, stdin=subprocess.DEVNULL, timeout=300,
        )  # fmt: skip
        assert done.returncode == 0, f"{command}\n{done.stderr}"
        assert done.stdout.strip(), command


@pytest.mark.parametrize("document", PAGES, ids=lambda path: path.name)
def test_links_lead_somewhere(document):
    text = document.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#]+)\)", text):
        if not target.startswith("http"):
            assert (document.parent / target).exists(), target


def test_hosting_lists_every_setting_with_its_default():
    text = (ROOT / "docs" / "hosting.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `STUDIO_(\w+)` \|(?: `?([^|`]*)`?)? \|", text, re.MULTILINE))
    assert {name.lower() for name in rows} == set(Settings.model_fields)
    for name, info in Settings.model_fields.items():
        if name not in ("database_url", "allowed_hosts"):
            assert (
                float(rows[name.upper()]) == info.default
                if isinstance(info.default, float)
                else (rows[name.upper()] == str(info.default))
            )


def test_the_page_of_findings_is_what_its_command_writes():
    page = runpy.run_path(str(ROOT / "scripts" / "findings.py"))["page"]()
    assert (ROOT / "docs" / "findings.md").read_text(encoding="utf-8") == page, "run: python scripts/findings.py"


def test_the_architecture_page_names_every_part():
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    for path in sorted((ROOT / "studio").iterdir()):
        if path.is_dir() and path.name != "__pycache__":
            assert f"`studio/{path.name}/`" in text
