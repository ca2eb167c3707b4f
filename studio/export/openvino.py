"""A model as OpenVINO's IR: float32, and with weights in 8 bits.

The weights are brought to 8 bits here, each row with a scale of its own: OpenVINO recognises a constant of int8 that is
converted and multiplied, and keeps it small in memory. (Its own tool for that, NNCF, is not needed.)
"""

import logging
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch

from studio.catalog.exports import EXPORT_FILE
from studio.export.pipeline import INPUTS, OUTPUTS, Pipeline
from studio.export.reading import openvino_alone

LEAST_WEIGHTS = 4096
"""Smaller tables of weights stay as they are."""


def write_openvino(pipeline: Pipeline, example: tuple[torch.Tensor, torch.Tensor], folder: Path) -> None:
    """Write both files."""
    openvino = openvino_alone()
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        logging.getLogger("transformers").setLevel(logging.ERROR)
        model = openvino.convert_model(pipeline, example_input=dict(zip(INPUTS, example, strict=True)))
    for output, name in zip(model.outputs, OUTPUTS, strict=True):
        output.get_tensor().set_names({name})
    (folder / "openvino").mkdir(parents=True, exist_ok=True)
    openvino.save_model(model, str(folder / EXPORT_FILE["openvino"].path), compress_to_fp16=False)
    to_int8(model)
    openvino.save_model(model, str(folder / EXPORT_FILE["openvino-int8"].path), compress_to_fp16=False)


def to_int8(model: Any) -> int:
    """Bring the tables of weights of an openvino.Model to 8 bits, in place; returns how many."""
    openvino = openvino_alone()
    from openvino import opset13 as op

    changed = 0
    for node in model.get_ordered_ops():
        if node.get_type_name() != "Constant" or node.get_element_type() != openvino.Type.f32:
            continue
        weights = node.data
        users = list(node.output(0).get_target_inputs())
        axis = _axis_of_scales(users)
        if weights.ndim != 2 or weights.size < LEAST_WEIGHTS or axis is None:
            continue
        scale = np.abs(weights).max(axis=1 - axis, keepdims=True) / 127
        scale = np.where(scale > 0, scale, 1).astype(np.float32)
        small = np.clip(np.rint(weights / scale), -127, 127).astype(np.int8)
        again = op.multiply(op.convert(op.constant(small), "f32"), op.constant(scale))
        for user in users:
            user.replace_source_output(again.output(0))
        changed += 1
    return changed


def _axis_of_scales(users: list[Any]) -> int | None:
    """The axis of a table along which each line gets its scale: what is looked up, or what one output is made of."""
    axes = set()
    for user in users:
        node, place = user.get_node(), user.get_index()
        kind = node.get_type_name()
        if kind == "Gather" and place == 0:
            axes.add(0)
        elif kind == "MatMul" and place == 1:
            axes.add(0 if node.get_attributes().get("transpose_b") else 1)
        else:
            return None
    return axes.pop() if len(axes) == 1 else None
