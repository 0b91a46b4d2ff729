"""Runs' descriptions in MLflow, in Markdown."""
