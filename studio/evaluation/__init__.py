"""Base against tuned on held-out rows."""
