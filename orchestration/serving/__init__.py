"""Models in use: read from a file or MLflow, asked, registered and served."""
