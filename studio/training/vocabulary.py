"""What a new model reads: a tokenizer or a list of words made from a dataset's own texts. No torch.

The same texts in the same order give the same vocabulary.
"""

import math
import string
from collections import Counter
from collections.abc import Sequence

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
LONGEST_ALPHABET = 6000
"""Most single characters that a vocabulary holds: scripts such as Chinese have thousands."""


def train_tokenizer(texts: Sequence[str], size: int, kind: str) -> Tokenizer:
    """A tokenizer of at most ``size`` tokens that cuts ``texts`` well. ``kind``: ``wordpiece`` or ``bpe``.

    Upper and lower case are the same to it; accents are kept.
    """
    if kind == "bpe":
        tokenizer = Tokenizer(models.BPE())
        tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
        tokenizer.decoder = decoders.ByteLevel()
        _train(tokenizer, texts, size, initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    else:
        tokenizer = Tokenizer(models.WordPiece(_pieces(texts, size), unk_token="[UNK]"))
        tokenizer.normalizer, tokenizer.pre_tokenizer = _bert_cuts()
        tokenizer.decoder = decoders.WordPiece()
        tokenizer.add_special_tokens(list(SPECIAL))
    first, last = (tokenizer.token_to_id(token) for token in ("[CLS]", "[SEP]"))
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B [SEP]", special_tokens=[("[CLS]", first), ("[SEP]", last)]
    )
    return tokenizer


def _pieces(texts: Sequence[str], size: int) -> dict[str, int]:
    """A WordPiece vocabulary. WordPieceTrainer makes another one each time, for it numbers the characters within words
    in no certain order; here they are numbered beforehand and its algorithm, byte pair encoding, does the rest."""
    trained = Tokenizer(models.BPE(continuing_subword_prefix="##"))
    trained.normalizer, trained.pre_tokenizer = _bert_cuts()
    characters: Counter[str] = Counter()
    for text in texts:
        for word, _ in trained.pre_tokenizer.pre_tokenize_str(trained.normalizer.normalize_str(text)):
            characters.update(word)
    most = min(size // 2, LONGEST_ALPHABET) // 2
    alphabet = sorted(sorted(characters, key=lambda c: (-characters[c], c))[:most])
    _train(
        trained, texts, size, [f"##{character}" for character in alphabet],
        continuing_subword_prefix="##", initial_alphabet=alphabet, limit_alphabet=len(alphabet),
    )  # fmt: skip
    return trained.get_vocab()


def _bert_cuts() -> tuple[normalizers.Normalizer, pre_tokenizers.PreTokenizer]:
    return normalizers.BertNormalizer(lowercase=True, strip_accents=False), pre_tokenizers.BertPreTokenizer()


def _train(tokenizer: Tokenizer, texts: Sequence[str], size: int, first: Sequence[str] = (), **options: object) -> None:
    trainer = trainers.BpeTrainer(vocab_size=size, special_tokens=[*SPECIAL, *first], show_progress=False, **options)
    tokenizer.train_from_iterator(texts, trainer, length=len(texts))


def count_words(texts: Sequence[str], size: int) -> tuple[list[str], dict[str, float]]:
    """The ``size`` words that stand in most texts, and how rare each is: log((1 + n) / (1 + texts with it)) + 1.

    Words are cut as sentence-transformers' WhitespaceTokenizer cuts them: at white space, without punctuation.
    """
    found: Counter[str] = Counter()
    for text in texts:
        found.update({word for token in text.split() if (word := token.strip(string.punctuation).lower())})
    words = sorted(found, key=lambda word: (-found[word], word))[:size]
    return words, {word: math.log((1 + len(texts)) / (1 + found[word])) + 1 for word in words}
