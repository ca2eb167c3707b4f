"""The page. Importing it prepares the import of Gradio; only this layer may import Gradio.

Gradio rewrites a type stub beside each of its component classes whenever it is imported. Nobody reads them here, it
takes half of Gradio's import time, and it fails or races where the installation is shared or read-only.
"""

import importlib.machinery
import os
import sys

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"


class _WithoutStubs:
    """Import hook for one module: takes the stub writer out as soon as it is defined."""

    def find_spec(self, name, path=None, target=None):
        if name != "gradio.component_meta":
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path)
        if spec is None or spec.loader is None:
            return None
        define = spec.loader.exec_module

        def exec_module(module):
            define(module)
            module.create_or_modify_pyi = lambda *_: None

        spec.loader.exec_module = exec_module
        return spec


if "gradio.component_meta" not in sys.modules:
    sys.meta_path.insert(0, _WithoutStubs())
