"""Forms in which a tuned model can be taken along besides its own folder. Adding a form means adding a row."""

from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec


@dataclass(frozen=True)
class ExportFile:
    """One file that does all a model does: from the numbers of tokens to the vector of a text."""

    id: str
    label: str
    path: str
    """In the export's folder."""
    also: tuple[str, ...] = ()
    """Further files that it needs."""
    help: str = ""

    @property
    def paths(self) -> tuple[str, ...]:
        return (self.path, *self.also)


@dataclass(frozen=True)
class ExportForm:
    id: str
    label: str
    help: str
    packages: tuple[str, ...]
    """What has to be installed to make it and to check it; names for pip, and for import."""
    files: tuple[ExportFile, ...]


EXPORTS = (
    ExportForm(
        "onnx",
        "ONNX",
        "Runs where PyTorch is not wanted: ONNX Runtime in many languages, and transformers.js in browsers.",
        ("onnx", "onnxruntime", "onnxscript"),
        (
            ExportFile("onnx", "float32", "onnx/model.onnx", help="The numbers of the model as they are."),
            ExportFile(
                "onnx-int8",
                "int8",
                "onnx/model_quantized.onnx",
                help="Weights in 8 bits, what flows between them is brought to 8 bits while it runs (ONNX Runtime's dynamic "
                "quantisation). A quarter of the size, and the fastest on processors.",
            ),
        ),
    ),
    ExportForm(
        "openvino",
        "OpenVINO",
        "For Intel processors, and for servers in C++.",
        ("openvino",),
        (
            ExportFile(
                "openvino",
                "float32",
                "openvino/openvino_model.xml",
                ("openvino/openvino_model.bin",),
                "The numbers of the model as they are.",
            ),
            ExportFile(
                "openvino-int8",
                "int8 weights",
                "openvino/openvino_model_int8.xml",
                ("openvino/openvino_model_int8.bin",),
                "Weights in 8 bits with a scale for each row; it computes with what they stand for. A quarter of the size.",
            ),
        ),
    ),
)
EXPORT = {form.id: form for form in EXPORTS}
EXPORT_FILE = {file.id: file for form in EXPORTS for file in form.files}
FORM_OF = {file.id: form for form in EXPORTS for file in form.files}


@cache
def cannot_be_made(form: str) -> str:
    """Why this form cannot be made on this machine, and what to do about it; empty: it can."""
    missing = [name for name in EXPORT[form].packages if find_spec(name) is None]
    return (
        f"Not installed here: {', '.join(missing)}. This installs it: pip install {' '.join(missing)}"
        if missing
        else ""
    )
