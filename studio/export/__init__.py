"""Taking a tuned model along."""
