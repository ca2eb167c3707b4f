"""A whole model, from the numbers of tokens to the vector, as one function that can be written down in other forms."""

import json
from pathlib import Path

import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import StaticEmbedding, Transformer
from tokenizers import Tokenizer
from torch import nn

from studio.errors import ModelError
from studio.files import write_json

INPUTS = ("input_ids", "attention_mask")
OUTPUTS = ("last_hidden_state", "sentence_embedding")
"""Names that transformers.js and sentence-transformers look for."""
EXAMPLES = ("a text", "another text that is a little longer than the first one")
"""Of different lengths: an exporter that follows what happens must see padding at work."""
MOST_BYTES = 1_900_000_000
"""One ONNX file cannot hold more."""


class Pipeline(nn.Module):
    """All modules of a model, one after the other.

    forward: input_ids and attention_mask, both (texts, tokens) int64 -> the tokens' vectors (texts, tokens, width) and the
    texts' vectors (texts, dimension). These have length 1 where the model compares by cosine; where length counts (dot
    product, distances) they stay as the model makes them.
    """

    def __init__(self, model: SentenceTransformer):
        super().__init__()
        self.parts = nn.ModuleList(model)
        self.static = isinstance(model[0], StaticEmbedding)
        self.unit = model.similarity_fn_name == "cosine"

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        if self.static:
            features = self._averaged(input_ids, attention_mask)
        else:
            features = self.parts[0]({"input_ids": input_ids, "attention_mask": attention_mask})
        for part in self.parts[1:]:
            features = part(features)
        vectors = features["sentence_embedding"]
        if self.unit:
            vectors = nn.functional.normalize(vectors, p=2.0, dim=-1)
        return features["token_embeddings"], vectors

    def _averaged(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> dict[str, torch.Tensor]:
        """What EmbeddingBag computes of tokens laid end to end, of tokens in rows."""
        tokens = nn.functional.embedding(input_ids, self.parts[0].embedding.weight)
        mask = attention_mask.unsqueeze(-1).to(tokens.dtype)
        mean = (tokens * mask).sum(1) / mask.sum(1).clamp(min=1)
        return {"token_embeddings": tokens, "sentence_embedding": mean, "attention_mask": attention_mask}


def pipeline_of(model: SentenceTransformer) -> Pipeline:
    """The model as one function, in float32 on the processor.

    Raises:
        ModelError: a model that does not begin with tokens, or too large a one.
    """
    if not isinstance(model[0], Transformer | StaticEmbedding):
        raise ModelError(
            f"A model that begins with {type(model[0]).__name__} reads words and not tokens: it has no such form.",
            hint="Take the zip of the model along.",
        )
    if sum(p.numel() for p in model.parameters()) * 4 > MOST_BYTES:
        raise ModelError("The model is too large for one file of this kind.", hint="Take the zip of the model along.")
    return Pipeline(model.float().cpu()).eval()


def example_of(model: SentenceTransformer, folder: Path) -> tuple[torch.Tensor, torch.Tensor]:
    """Two texts as numbers of tokens, padded. ``folder``: where :func:`write_tokenizer` has been."""
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    found = tokenizer.encode_batch(list(EXAMPLES))
    return torch.tensor([one.ids for one in found]), torch.tensor([one.attention_mask for one in found])


def write_tokenizer(model: SentenceTransformer, folder: Path) -> None:
    """tokenizer.json cuts and pads as the model does; tokenizer_config.json and config.json are what transformers.js reads.

    Raises:
        ModelError: a tokenizer that has no such file.
    """
    first = model[0]
    if isinstance(first, StaticEmbedding):
        tokenizer = Tokenizer.from_str(first.tokenizer.to_str())
        rules = json.loads(tokenizer.to_str())
        longest = (rules.get("truncation") or {}).get("max_length")
        tokenizer = Tokenizer.from_str(json.dumps({**rules, "post_processor": None}))  # no [CLS] and [SEP] are added
        pad, side, cut = 0, "right", "right"
        words = {"tokenizer_class": "PreTrainedTokenizerFast"}
        config = {"model_type": "static-embedding"}
    else:
        known = model.tokenizer
        if not getattr(known, "is_fast", False):
            raise ModelError(
                "The tokenizer of this model is written in Python and has no file that others could read.",
                hint="Take the zip of the model along.",
            )
        tokenizer = Tokenizer.from_str(known._tokenizer.to_str())
        longest = model.max_seq_length
        pad = known.pad_token_id if known.pad_token_id is not None else (known.eos_token_id or 0)
        side, cut = known.padding_side, known.truncation_side
        known.save_pretrained(str(folder))
        words = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
        config = first.model.config.to_dict()
    token = tokenizer.id_to_token(pad) or "[PAD]"
    if longest:
        tokenizer.enable_truncation(int(longest), direction=cut)
    else:
        tokenizer.no_truncation()
    tokenizer.enable_padding(direction=side, pad_id=pad, pad_token=token)
    tokenizer.save(str(folder / "tokenizer.json"))
    words |= {"pad_token": token, "padding_side": side, "truncation_side": cut}
    if longest:
        words["model_max_length"] = int(longest)
    write_json(folder / "tokenizer_config.json", words)
    write_json(folder / "config.json", config)
