"""What people decided and what was done: the store that can't be recomputed."""
