"""N scripted trials as Ray's own guides have it: OptunaSearch, ASHA and MLflowLoggerCallback.

Everything at its default; MLflow keeps its runs in SQLite as ours does. With ``--reuse-actors``
the one setting that costs the defaults most is changed. Run by ``sweep.py``.
"""

import sys
from pathlib import Path

import scripted
from ray import tune
from ray.air.integrations.mlflow import MLflowLoggerCallback
from ray.tune.schedulers import ASHAScheduler
from ray.tune.search.optuna import OptunaSearch


def trial(config: dict[str, float]) -> None:
    for epoch in range(1, scripted.NUM_EPOCHS + 1):
        tune.report({**scripted.metrics(epoch), "epoch": epoch})


def main(num_trials: int, home: Path, *, reuse_actors: bool) -> None:
    tuner = tune.Tuner(
        trial,
        param_space={path: tune.uniform(*ends) for path, ends in scripted.RANGES.items()},
        tune_config=tune.TuneConfig(
            metric=scripted.OBJECTIVE,
            mode="max",
            search_alg=OptunaSearch(),
            scheduler=ASHAScheduler(
                time_attr="epoch", max_t=scripted.NUM_EPOCHS, grace_period=2, reduction_factor=2
            ),
            num_samples=num_trials,
            **({"reuse_actors": True} if reuse_actors else {}),
        ),
        run_config=tune.RunConfig(
            storage_path=str(home / "ray"),
            callbacks=[
                MLflowLoggerCallback(
                    tracking_uri=f"sqlite:///{home}/mlflow.db", experiment_name="overhead"
                )
            ],
        ),
    )
    results = tuner.fit()
    epochs = [result.metrics["epoch"] for result in results]
    assert epochs == [scripted.NUM_EPOCHS] * num_trials, epochs


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]), reuse_actors="--reuse-actors" in sys.argv)
