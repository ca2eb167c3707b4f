"""Which loss goes with which data, base model and modifier, and why not: rules over the records of the catalogue.

No torch, no config: the config itself is checked with these rules.
"""

from studio.catalog.formats import FORMAT
from studio.catalog.losses import DECODERS, NEED, Loss, Modifier
from studio.training.bases import Base, limits

WITHOUT_TRANSFORMER = ("static", "words", "bag")
"""Kinds of models that have none."""


def loss_misfit(loss: Loss, format: str, negatives: int, base: Base | None = None) -> str:
    """Why the loss cannot be used with this data and base model (None: not known yet); empty when it can.

    ``negatives``: how many a row has.
    """
    if format not in loss.formats:
        *others, last = (FORMAT[f].label.lower() for f in loss.formats)
        needed = f"{', '.join(others)} or {last}" if others else last
        return f"{loss.label} needs {needed}; this dataset has {FORMAT[format].label.lower()}."
    if loss.max_negatives is not None and negatives > loss.max_negatives:
        return f"{loss.label} takes {loss.max_negatives} negative a row; this dataset has {negatives}."
    if base is not None:
        for need in loss.needs:
            if not _has(base, need):
                return f"{loss.label} cannot train {base.label}: {NEED[need].reason}."
    return ""


def modifier_misfit(modifier: Modifier, loss: Loss, base: Base | None = None) -> str:
    """Why the modifier cannot be put on top of the loss; empty when it can."""
    name = modifier.label.partition(":")[0]
    if modifier.cuts_layers and loss.cached:
        return f"{name} does not go on top of {loss.label}: its portions are computed again without the layers."
    if modifier.cuts_dimensions and loss.fixed_size:
        return f"{name} does not go on top of {loss.label}: {loss.fixed_size}."
    if modifier.cuts_layers and base is not None and not _has(base, "transformer"):
        return f"{name} does not go with {base.label}: it has no layers."
    return ""


def part_misfit(loss: Loss, lora_rank: int, freeze_layers: int) -> str:
    """Why the loss cannot train a part of a model only; empty when it can, or the whole model is trained."""
    if loss.whole_model and (lora_rank or freeze_layers):
        what = "LoRA" if lora_rank else "Frozen layers"
        return f"{what} do{'es' if lora_rank else ''} not go with {loss.label}: {loss.whole_model}."
    return ""


def packs(loss: Loss, modifier: Modifier) -> bool:
    """Whether the fast engine can serve them: a decoder and earlier layers want padded texts."""
    return loss.packs and not modifier.cuts_layers


def default_dims(dimension: int) -> tuple[int, ...]:
    """Lengths to cut embeddings of ``dimension`` numbers to: the whole, and powers of two down to about a twelfth."""
    powers = [2**i for i in range(14, 1, -1)]
    return (dimension, *(n for n in powers if dimension / 12 <= n < dimension))


def trained_lengths(modifier: Modifier, dims: tuple[int, ...], dimension: int) -> tuple[int, ...]:
    """Lengths that a model of ``dimension`` numbers is trained to be cut to, the longest first; empty: it is not.

    ``dims``: those that were chosen; empty: the usual ones.
    """
    return tuple(sorted(dims or default_dims(dimension), reverse=True)) if modifier.cuts_dimensions else ()


def dims_misfit(dims: tuple[int, ...], dimension: int, label: str) -> str:
    """Why embeddings of ``dimension`` numbers cannot be cut to ``dims``; empty when they can, or nothing was chosen."""
    if not dims:
        return ""
    if max(dims) > dimension:
        return f"{label} embeds {dimension} dimensions; they cannot be cut to {max(dims)}."
    if dimension not in dims:
        return f"The lengths of embeddings must include the whole, {dimension}: it would not be trained otherwise."
    return ""


def _has(base: Base, need: str) -> bool:
    """Whether a base model has what a loss needs. What its files do not say is taken to be so."""
    if base.kind in WITHOUT_TRANSFORMER:
        return False
    known = limits(base)
    if need == "dropout":
        return known.dropout != 0
    if need == "decoder":
        whole = None in (known.dimension, known.hidden_size) or known.dimension == known.hidden_size
        return whole and (known.model_type is None or known.model_type in DECODERS)
    return True
