"""Names of base models that are built instead of loaded, and which settings of a config they have. No torch."""

from studio.catalog.designs import DESIGN, DISTIL

DESIGN_FIELDS = ("layers", "width", "vocabulary", "tokenizer")
"""Fields of TrainConfig that only models which are built have."""
ARCHITECTURE_FIELDS = (*DESIGN_FIELDS, "projection_activation")
"""Fields that stay at their default where :func:`architecture_fields` does not name them."""

_OF_KIND = {
    "transformer": DESIGN_FIELDS,
    "static": ("width", "vocabulary", "tokenizer"),
    "words": ("width", "vocabulary"),
    "bag": ("width", "vocabulary"),
}


def architecture_fields(base_model: str, projection: int | None) -> tuple[str, ...]:
    """Those of ARCHITECTURE_FIELDS that change something for this base model."""
    name = base_model.strip()
    fields = ("width",) if name.startswith(DISTIL) else ()
    if name in DESIGN:
        fields = _OF_KIND[DESIGN[name].kind]
    return (*fields, "projection_activation") if projection is not None else fields
