"""Any table in: read, guess roles, prepare rows, check, split. No torch."""
