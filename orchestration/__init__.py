"""Ray Tune, Optuna, MLflow and the command line around drmn."""
