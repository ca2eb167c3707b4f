"""Where worker processes run. Importing this package costs nothing: the shim is a small process."""
