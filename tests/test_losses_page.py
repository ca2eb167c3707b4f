"""docs/losses.md is what the catalogue says."""

import runpy
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def test_the_page_of_losses_is_made_from_the_catalogue_as_it_is():
    made = runpy.run_path(str(ROOT / "scripts" / "loss_table.py"))["page"]()
    assert (ROOT / "docs" / "losses.md").read_text(encoding="utf-8") == made, "run: python scripts/loss_table.py"
