"""``python -m studio`` is ``sentence-studio``."""

from studio.cli import main

main()
