"""A model as ONNX: float32 by PyTorch's exporter, int8 by ONNX Runtime's dynamic quantisation."""

import logging
import warnings
from pathlib import Path

import torch

from studio.catalog.exports import EXPORT_FILE
from studio.export.pipeline import INPUTS, OUTPUTS, Pipeline


def write_onnx(pipeline: Pipeline, example: tuple[torch.Tensor, torch.Tensor], folder: Path) -> None:
    """Write onnx/model.onnx: takes any number of texts of any number of tokens."""
    texts, tokens = torch.export.Dim("texts"), torch.export.Dim("tokens")
    out = folder / EXPORT_FILE["onnx"].path
    out.parent.mkdir(parents=True, exist_ok=True)
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # it says which optional packages are missing
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # about the exporter's own parts
        torch.onnx.export(
            pipeline,
            example,
            str(out),
            input_names=list(INPUTS),
            output_names=list(OUTPUTS),
            dynamic_shapes=tuple({0: texts, 1: tokens} for _ in INPUTS),
            dynamo=True,
            external_data=False,
            verbose=False,
        )


def write_onnx_int8(folder: Path) -> None:
    """Write onnx/model_quantized.onnx beside model.onnx."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    logging.getLogger().addFilter(_without_advice)
    try:
        quantize_dynamic(
            str(folder / EXPORT_FILE["onnx"].path),
            str(folder / EXPORT_FILE["onnx-int8"].path),
            weight_type=QuantType.QInt8,
            per_channel=True,
        )
    finally:
        logging.getLogger().removeFilter(_without_advice)


def _without_advice(record: logging.LogRecord) -> bool:
    return "pre-processing before quantization" not in record.getMessage()
