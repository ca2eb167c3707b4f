"""What the studio knows: frozen records without logic. Adding a model, a loss or a pooling means adding a row."""
