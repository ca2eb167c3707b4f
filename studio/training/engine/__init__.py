"""What makes training faster than the stock trainer at the same quality; ``engine: stock`` switches all of it off."""
