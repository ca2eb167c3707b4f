"""How well a model does in the check of general ability: measured, or remembered from an earlier run.

Of a run's process this alone is kept outside of its folder, beside what the hub's library keeps: base models are asked the
same questions again and again.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
import torch
from sentence_transformers import SentenceTransformer

from studio.evaluation.general import ITEMS, KINDS, METRIC, general_tasks
from studio.evaluation.measure import measure
from studio.files import read_json, write_json
from studio.settings import Settings


def know(
    model: SentenceTransformer, kinds: Sequence[str] | None = None, tick: Callable[[], None] = lambda: None
) -> dict[str, np.ndarray]:
    """Kind -> the metric for each question, of all kinds or those named. ``tick`` may raise to stop it."""
    tasks = general_tasks()
    chosen = [kind.id for kind in KINDS] if kinds is None else kinds
    return {id: measure(model, tasks[id], tick=tick).values[METRIC] for id in chosen}


def know_again(model: SentenceTransformer, tick: Callable[[], None] = lambda: None) -> dict[str, np.ndarray]:
    """The same of all kinds for a model that several runs start from: remembered by what the model is made of.

    What is remembered lies in the cache folder (STUDIO_CACHE) and can be deleted at any time.
    """
    place = Settings().cache.expanduser() / "general" / f"{fingerprint(model)}.json"
    try:
        found = _read(place)
    except (OSError, ValueError):  # somebody else's, or damaged: it is measured again
        found = None
    if found is None:
        found = know(model, tick=tick)
        with suppress(OSError):  # a machine without a place to remember it
            write_json(place, {id: [round(value, 6) for value in values.tolist()] for id, values in found.items()})
    return found


def _read(place: Path) -> dict[str, np.ndarray] | None:
    value = read_json(place)
    tasks = general_tasks()
    if not isinstance(value, dict) or value.keys() != tasks.keys():
        return None
    found = {id: np.array(values, dtype=np.float64) for id, values in value.items()}
    return found if all(found[id].shape == (len(task.retrieval.queries),) for id, task in tasks.items()) else None


def fingerprint(model: SentenceTransformer) -> str:
    """Of weights, tokenizer, modules and prompts, and of the questions: equal ones know the same."""
    told = hashlib.sha256(ITEMS.read_bytes())
    for name, weights in sorted(model.state_dict().items()):
        told.update(f"{name} {weights.dtype} {tuple(weights.shape)}".encode())
        told.update(weights.detach().contiguous().cpu().flatten().view(torch.uint8).numpy().tobytes())
    modules = [type(module).__name__ for module in model.modules()]
    settings = [module.get_config_dict() for module in model if hasattr(module, "get_config_dict")]
    facts = [modules, settings, model.prompts, model.default_prompt_name, model.similarity_fn_name, _limit(model)]
    told.update(json.dumps(facts, default=str, sort_keys=True).encode())
    told.update(_tokenizer(model).encode())
    return told.hexdigest()


def _tokenizer(model: SentenceTransformer) -> str:
    tokenizer = getattr(model.tokenizer, "backend_tokenizer", model.tokenizer)
    if not hasattr(tokenizer, "to_str"):
        return repr(tokenizer)
    # Encoding sets padding and truncation; the model's limit says the latter.
    return json.dumps({**json.loads(tokenizer.to_str()), "padding": None, "truncation": None}, sort_keys=True)


def _limit(model: SentenceTransformer) -> int | None:
    return getattr(model, "max_seq_length", None)
