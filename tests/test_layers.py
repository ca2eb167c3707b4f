"""The house's rule: imports point down only, and heavy libraries stay where they belong."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

LAYERS = (
    {"errors", "settings"},
    {"files", "recent"},
    {"process"},
    {"catalog"},
    {"data"},
    {"evaluation"},
    {"training"},
    {"compare"},
    {"search", "export"},
    {"making"},
    {"runs", "worker", "launch"},
    {"ui"},
    {"cli"},
    {"__main__"},
)
"""A module may import from its own part and from lower layers; parts of one layer do not know each other."""

HEAVY = {"torch", "sentence_transformers", "transformers", "datasets", "accelerate"}
MAY_BE_HEAVY = {"training", "evaluation", "search", "export", "making", "worker"}
LIGHT = (
    *("studio.errors", "studio.settings", "studio.files", "studio.catalog", "studio.data", "studio.runs", "studio.ui"),
    *("studio.training.config", "studio.training.folder", "studio.training.bases", "studio.training.estimate"),
    *("studio.training.words", "studio.training.feed", "studio.compare"),
    *("studio.training.suggest", "studio.evaluation.result", "studio.evaluation.sentence", "studio.search.result"),
    *(
        "studio.search.index",
        "studio.search.compare",
        "studio.export.archive",
        "studio.export.hub",
        "studio.export.reading",
        "studio.export.report",
        "studio.export.sections",
        "studio.export.snippets",
        "studio.export.svg",
        "studio.making.exporting",
        "studio.making.kinds",
        "studio.making.mining",
        "studio.making.suspects",
        "studio.cli",
        "studio.launch",
        "app",
    ),
)
"""Modules (and packages with all in them) that must import without torch: the page and the command line start with them."""

SOURCES = sorted((ROOT / "studio").rglob("*.py"))


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def part(module: str) -> str:
    """``studio.data.read`` -> ``data``."""
    return module.split(".")[1] if "." in module else ""


def layer(name: str) -> int:
    return next(i for i, names in enumerate(LAYERS) if name in names)


def imports(path: Path) -> set[str]:
    """Full names of all modules that a file imports, inside functions and under TYPE_CHECKING too."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found.add(node.module)
            found.update(f"{node.module}.{alias.name}" for alias in node.names if node.module == "studio")
    return found


@pytest.mark.parametrize("path", SOURCES, ids=module_name)
def test_imports_point_down(path):
    mine = part(module_name(path))
    for imported in imports(path):
        theirs = part(imported) if imported.startswith("studio.") else ""
        if not mine or not theirs or theirs in (mine, "__version__"):
            continue
        assert layer(theirs) < layer(mine), f"{mine} imports {imported}"


@pytest.mark.parametrize("path", SOURCES, ids=module_name)
def test_libraries_stay_where_they_belong(path):
    module = module_name(path)
    libraries = {imported.split(".")[0] for imported in imports(path)}
    if part(module) != "ui":
        assert "gradio" not in libraries
    if module != "studio.runs.store" and not module.startswith("studio.runs.migrations"):
        assert not libraries & {"sqlalchemy", "alembic", "sqlite3"}
    if part(module) not in MAY_BE_HEAVY:
        assert not libraries & HEAVY


def test_every_module_is_in_a_layer():
    known = set().union(*LAYERS)
    assert {part(module_name(path)) for path in SOURCES} - {""} <= known


def test_the_page_and_the_command_line_start_without_torch():
    modules = [name for name in map(module_name, SOURCES) if any((name + ".").startswith(p + ".") for p in LIGHT)]
    assert len(modules) > len(LIGHT)
    # env.py of the migrations is run by alembic, never imported.
    modules = [name for name in modules if ".migrations" not in name]
    program = (
        "import importlib, sys\n"
        f"for name in {[*modules, 'app']!r}: importlib.import_module(name)\n"
        f"print(sorted({HEAVY!r} & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT)
    assert run.stderr == ""
    assert run.stdout.strip() == "[]"
