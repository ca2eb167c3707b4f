"""The model that a script builds: what it starts from, the blocks on top of it, and what of it is trained."""

from pathlib import Path

from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Normalize
from sentence_transformers.sentence_transformer.modules import CNN, Pooling, StaticEmbedding, WordWeights

from studio.catalog.poolings import JOIN
from studio.export.script.page import Page, Raw
from studio.training.bases import Base, base_of, resolve_base
from studio.training.config import TrainConfig
from studio.training.folder import RunFolder
from studio.training.model import ACTIVATIONS
from studio.training.train import Trained
from studio.training.trainable import frozen_names

MODULES = "sentence_transformers.sentence_transformer.modules"


class Places:
    """Where the models lie that a script starts from, and those of them that have to come along with it."""

    def __init__(self, folder: RunFolder):
        self._folder = folder
        self.along: dict[str, str] = {}
        """Place beside the script -> folder: in the run's, or elsewhere on this machine."""
        self.packages: list[str] = []
        """Packages that bring weights."""

    def of(self, page: Page, base: Base, constant: str) -> str:
        """The lines' source of a loaded model; its place is a constant on top."""
        page.use("sentence_transformers", "SentenceTransformer")
        if base.record is not None and base.record.package:
            return self._packaged(page, base, constant)
        if base.design is not None:
            place = "base/built"
            name = page.constant(constant, self._beside(page, place, self._folder.built))
        elif base.hub_name is not None:
            name = page.constant(constant, base.hub_name)
            revision = base.path.name if base.path is not None and base.path.parent.name == "snapshots" else None
            if revision is not None:
                pinned = page.constant(f"{constant}_REVISION", revision, "the version that the run started from")
                return f"SentenceTransformer({name}, revision={pinned}).float()"
        else:
            own = base.path.is_relative_to(self._folder.path)
            place = str(base.path.relative_to(self._folder.path)) if own else f"{constant.lower()}/{base.path.name}"
            name = page.constant(constant, self._beside(page, place, base.path))
        return f"SentenceTransformer({name}).float()"

    def _beside(self, page: Page, place: str, folder: Path) -> Raw:
        own = folder.is_relative_to(self._folder.path)
        self.along[place] = str(folder.relative_to(self._folder.path) if own else folder)
        return Raw(f"str(HERE / {page.source(place)})")

    def _packaged(self, page: Page, base: Base, constant: str) -> str:
        record = base.record
        self.packages.append(record.package.replace("_", "-"))
        page.use("importlib.util")
        page.define(PACKAGE)
        if not base.path.is_file():
            name = page.constant(constant, (record.package, record.path), "a package, and where in it")
            return f"SentenceTransformer(str(package(*{name}))).float()"
        page.use("safetensors.torch", "load_file")
        page.use("tokenizers", "Tokenizer")
        page.use(MODULES, "StaticEmbedding")
        name = page.constant(constant, record.package, "the package that brings the vectors")
        key = next(key for key in ("embedding.weight", "embeddings") if key in _keys(base.path))
        page.define(STATIC.format(package=name, tokenizer=record.tokenizer, weights=record.path, key=key))
        return "load_static()"


def _keys(path: Path) -> set[str]:
    from safetensors import safe_open

    with safe_open(path, "np") as file:
        return set(file.keys())


def write_model(page: Page, places: Places, done: Trained) -> None:
    """The function ``build_model``."""
    config, model = done.config, done.model
    loaded = places.of(page, base_of(config), "BASE")
    lines = [f"model = {loaded}", *_fixed(model)]
    lines += _pooling(page, config, model)
    lines += _layers(page, config, model)
    lines += _ending(page, config, model)
    if config.max_seq_length is not None:
        static = isinstance(model[0], StaticEmbedding)
        length = page.constant("MAX_SEQ_LENGTH", config.max_seq_length)
        lines.append(
            f"model[0].tokenizer.enable_truncation({length})" if static else f"model.max_seq_length = {length}"
        )
    if any(model.prompts.values()):
        lines.append(f"model.prompts = {page.source({name: text for name, text in model.prompts.items() if text})}")
    if config.similarity != "default":
        lines.append(f'model.similarity_fn_name = "{config.similarity}"')
    lines += _trained(page, config, done)
    body = [*lines, "return model"] if len(lines) > 1 else [f"return {loaded}"]
    page.function("def build_model() -> SentenceTransformer:", body)


def guide_of(page: Page, places: Places, name: str) -> str:
    """The source of a model that is asked and never trained."""
    return places.of(page, resolve_base(name), "GUIDE") + ".eval().requires_grad_(False)"


def _fixed(model: SentenceTransformer) -> list[str]:
    """What is kept from training; see studio.training.model.hold_fixed."""
    lines = []
    for place, module in enumerate(model):
        if isinstance(module, WordWeights):
            lines.append(
                f"model[{place}].requires_grad_(False)  # made anew from its settings when the model is loaded"
            )
        if isinstance(module, CNN):
            lines.append("model[0].emb_layer.padding_idx = 0  # what stands behind a text stays zero")
    return lines


def _pooling(page: Page, config: TrainConfig, model: SentenceTransformer) -> list[str]:
    if config.pooling == "default":
        return []
    page.use(MODULES, "Pooling")
    place, pooling = next((at, module) for at, module in enumerate(model) if isinstance(module, Pooling))
    modes = tuple(config.pooling.split(JOIN))
    more = {} if pooling.include_prompt else {"include_prompt": False}
    place -= config.token_layers == "weighted"  # what is put before it comes later
    made = page.call(
        "Pooling", str(pooling.embedding_dimension), page.source(modes[0] if len(modes) == 1 else modes), **more
    )
    return [f"model[{place}] = {made}"]


def _layers(page: Page, config: TrainConfig, model: SentenceTransformer) -> list[str]:
    """A learnt mean of all layers before the pooling."""
    if config.token_layers == "last":
        return []
    page.use(MODULES, "WeightedLayerPooling")
    mixed = model[1]
    made = page.call(
        "WeightedLayerPooling", str(mixed.embedding_dimension), num_hidden_layers=mixed.num_hidden_layers,
        layer_start=mixed.layer_start,
    )  # fmt: skip
    return [
        "first, *rest = model",
        "first.model.config.output_hidden_states = True",
        f"mixed = {made}",
        f'model = SentenceTransformer(modules=[first, mixed, *rest], similarity_fn_name="{model.similarity_fn_name}")',
    ]


def _ending(page: Page, config: TrainConfig, model: SentenceTransformer) -> list[str]:
    """The projection, and unit length last or not at all."""
    if config.projection is None and config.normalize == "keep":
        return []
    page.use(MODULES, "Normalize")
    lines = ["modules = [module for module in model if not isinstance(module, Normalize)]"]
    if config.projection is not None:
        page.use(MODULES, "Dense")
        page.constant("DIMENSION", config.projection, "of the vectors, behind a dense layer that is learnt")
        bend = page.source(ACTIVATIONS[config.projection_activation])
        lines.append(f"modules.append(Dense(model.get_embedding_dimension(), DIMENSION, activation_function={bend}))")
    if any(isinstance(module, Normalize) for module in model):
        lines.append("modules.append(Normalize())")
    more = {"default_prompt_name": model.default_prompt_name} if model.default_prompt_name else {}
    made = page.call(
        "SentenceTransformer", modules=Raw("modules"), similarity_fn_name=str(model.similarity_fn_name), **more
    )
    lines.append(f"model = {made}")
    return lines


def _trained(page: Page, config: TrainConfig, done: Trained) -> list[str]:
    """What of the model is trained, and how it is computed."""
    lines = []
    if config.lora_rank:
        page.use("peft", "LoraConfig")
        made = page.call(
            "LoraConfig", r=config.lora_rank, lora_alpha=config.lora_alpha, lora_dropout=config.lora_dropout,
            target_modules="all-linear",
        )  # fmt: skip
        lines.append(f"model.add_adapter({made})")
        page.use("peft.tuners.tuners_utils", "BaseTunerLayer")
        page.define(MERGE)
    if config.freeze_layers:
        below, blocks = frozen_names(done.model.transformers_model)
        frozen = [*map(_attribute, below), f"*{_attribute(blocks)}[:FROZEN_LAYERS]"]
        page.constant("FROZEN_LAYERS", config.freeze_layers, "the lowest ones, and the embeddings below them")
        lines += [
            "transformer = model.transformers_model",
            f"for module in ({', '.join(frozen)}):",
            "    module.requires_grad_(False)",
        ]
    if done.computed_twice:
        lines += [
            "# Layers are computed again in the backward pass instead of remembered: less memory, the same result.",
            'model.transformers_model.activation_checkpointing_enable({"use_reentrant": False})',
        ]
    return lines


def _attribute(name: str) -> str:
    """A part of the transformer as Python names it: ``transformer.encoder.layer``, ``transformer.blocks[0].wte``."""
    return "transformer" + "".join(f"[{part}]" if part.isdigit() else f".{part}" for part in name.split("."))


PACKAGE = '''
def package(name: str, path: str) -> Path:
    """A file or folder in a Python package that brings the weights of a model."""
    return Path(importlib.util.find_spec(name).submodule_search_locations[0]) / path
'''

STATIC = '''
def load_static() -> SentenceTransformer:
    """A model of one vector a token, from the vectors and the tokenizer that its package brings."""
    tokenizer = Tokenizer.from_file(str(package({package}, "{tokenizer}")))
    tokenizer.no_truncation()
    vectors = load_file(package({package}, "{weights}"))["{key}"].float()
    return SentenceTransformer(
        modules=[StaticEmbedding(tokenizer, embedding_weights=vectors)], similarity_fn_name="cosine"
    )
'''

MERGE = '''
def merge_adapters(model: SentenceTransformer) -> None:
    """Add LoRA's matrices to the weights that they belong to: what is saved is a plain model."""
    layers = [(name, module) for name, module in model.named_modules() if isinstance(module, BaseTunerLayer)]
    for name, layer in layers:
        layer.merge(safe_merge=True)
        parent, _, child = name.rpartition(".")
        setattr(model.get_submodule(parent), child, layer.get_base_layer())
    del model.transformers_model.peft_config
    model.transformers_model._hf_peft_config_loaded = False
'''
