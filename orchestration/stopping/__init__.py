"""Ending a sweep before its trials are: budgets, signals, and who drives it."""
