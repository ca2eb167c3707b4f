"""Several runs side by side: what differs between them, which are comparable, which is best. No torch."""
