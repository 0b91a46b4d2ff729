"""Finding and closing what differs between a sweep's ledger, Optuna, MLflow and Tune."""
