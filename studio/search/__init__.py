"""Embeddings of a corpus, and what a query finds in it."""
