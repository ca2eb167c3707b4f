"""Sentence Studio: fine-tune Sentence Transformers models in a browser."""

__version__ = "0.1.0"
