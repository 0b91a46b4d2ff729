"""N scripted trials in Optuna's own loop: one process, its default storage (memory), no MLflow.

Run by ``sweep.py``.
"""

import sys

import optuna
import scripted


def trial(trial: optuna.Trial) -> float:
    for path, ends in scripted.RANGES.items():
        trial.suggest_float(path, *ends)
    for epoch in range(1, scripted.NUM_EPOCHS + 1):
        trial.report(scripted.metrics(epoch)[scripted.OBJECTIVE], epoch)
    return scripted.metrics(scripted.NUM_EPOCHS)[scripted.OBJECTIVE]


if __name__ == "__main__":
    study = optuna.create_study(direction="maximize")
    study.optimize(trial, n_trials=int(sys.argv[1]))
