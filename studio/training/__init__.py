"""From a config and a dataset to a tuned model. Only config.py, folder.py, bases.py and estimate.py do without torch."""
