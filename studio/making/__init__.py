"""Makings: work in the background that makes a dataset or a report, each a process that knows one folder."""
