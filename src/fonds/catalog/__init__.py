"""What we know: the tables that can be recomputed, as Delta tables with one DuckDB face."""
