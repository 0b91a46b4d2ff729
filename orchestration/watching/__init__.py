"""What a sweep looks like while it runs: one table, in its own terminal or in another."""
