"""The stewards' pages: what the machine can't settle, people decide here, on record."""
