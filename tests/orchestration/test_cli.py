"""The commands as a user types them, each in a process and a folder of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from pooled_features import write_pooled

pytestmark = pytest.mark.slow

BIN = Path(sys.executable).parent


def _run(
    folder: Path, command: str, *arguments: str, timeout_s: float = 120.0
) -> subprocess.CompletedProcess[str]:
    environ = {k: v for k, v in os.environ.items() if not k.startswith(("DRMN_", "MLFLOW_"))}
    return subprocess.run(
        [str(BIN / command), *arguments],
        cwd=folder,
        env={**environ, "NO_COLOR": "1", "COLUMNS": "200", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )


@pytest.mark.parametrize("dataset", ["sun", "cub", "awa2", "cifar-awa2", "my-birds"])
def test_absent_data_is_a_mistake_that_says_what_is_expected_where(
    tmp_path: Path, dataset: str
) -> None:
    done = _run(tmp_path, "drmn-sweep", "--dataset", dataset, "--data-root", "nowhere")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    for expected in ("att_splits.mat", "res101.mat", f"drmn data check --dataset {dataset}"):
        assert expected in done.stderr
    assert not (tmp_path / ".drmn" / "cache").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--set", "loss.lambda_cs=1"], "did you mean 'lambda_sc'"),
        (["--set", "training.seed"], "path=value"),
        (["--variant", "+all"], "+ensemble"),
        (["--grace-period", "0"], "grace_period"),
        (["--gpus-per-trial", "1.5"], "drmn train --devices"),
        (["--gpus-per-trial", "some"], "must be a number or 'auto'"),
        (["--backbone", "resnet19"], "'resnet18'"),
        (["--trials", "many"], "--trials"),
        (["--sampler", "grid", "--trials", "5"], "must be 82"),
        (["--objective", "val/gzsl_harmonik"], "did you mean 'val/gzsl_harmonic'"),
        (
            ["--objective", "val/czsl_top1", "--objective", "time/epoch_s", "--pruner", "asha"],
            "none",
        ),
        (["--beta", "exact", "--objective", "val/gzsl_harmonic"], "--beta search"),
        (["--enqueue", "nowhere.yaml"], "nowhere.yaml: cannot be read"),
        (["--final-seeds", "0"], "--final-seeds"),
        (["--trails", "3"], "Did you mean --trials?"),
        (["--name", "it's/mine"], "must be letters"),
        (["--set", "optimiser.beta1=2"], "beta1"),
        (["--set", "model.fusion.channels=0"], "channels"),
    ],
)
def test_a_mistake_gets_a_message_and_exit_code_2(
    tmp_path: Path, arguments: list[str], message: str
) -> None:
    done = _run(tmp_path, "drmn-sweep", "--dataset", "sprites", *arguments)
    assert done.returncode == 2, done.stderr
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_the_options_are_pinned(tmp_path: Path) -> None:
    done = _run(tmp_path, "drmn-sweep", "--help")
    assert done.returncode == 0
    options = {
        word.strip("│,") for word in done.stdout.split() if word.strip("│,").startswith("--")
    }
    assert options >= {
        "--dataset", "--data-root", "--backbone", "--weights", "--image-size", "--trials",
        "--sampler", "--grid-points", "--enqueue", "--paper-first", "--no-paper-first",
        "--warm-start", "--objective", "--beta", "--epochs", "--variant",
        "--grace-period", "--reduction-factor", "--fold", "--seed",
        "--pruner", "--min-samples", "--budget",
        "--set", "--name", "--cpus-per-trial", "--gpus-per-trial", "--max-concurrent",
        "--final-seeds", "--no-paper-final", "--plan", "--json", "--verbose", "--quiet",
    }  # fmt: skip


def test_a_sweep_from_nothing_to_its_result(tmp_path: Path) -> None:
    """Renders the demo set, extracts features, searches, retrains and tests once."""
    arguments = ["--dataset", "sprites", "--trials", "2", "--epochs", "2", "--name", "first"]
    arguments += ["--set", "training.steps_per_epoch=2", "--set", "data.image_size=32"]
    arguments += ["--grace-period", "1", "--final-seeds", "1", "--no-paper-final"]
    done = _run(tmp_path, "drmn-sweep", *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    for name in ("czsl_top1", "gzsl_unseen", "gzsl_seen", "gzsl_harmonic"):
        assert name in done.stdout
    assert f"mlflow ui --backend-store-uri sqlite:///{tmp_path}/.drmn/mlflow.db" in done.stdout
    result = json.loads((tmp_path / ".drmn/sweeps/first/result.json").read_text())
    assert set(result["fates"]) == {"0000", "0001"}
    assert 0.0 <= result["test"]["gzsl_harmonic"] <= 1.0
    (seed_0,) = tmp_path.glob(".drmn/sweeps/first/final/winner-*/seed-0")
    final = {path.name for path in seed_0.iterdir()}
    assert "logits.parquet" in final


def test_training_alone_on_two_processes_resumes_and_scores(tmp_path: Path) -> None:
    """The two processes share each batch; the last epoch comes from a resumed run."""
    arguments = ["train", "--dataset", "sprites", "--out", "run", "--devices", "2"]
    arguments += ["--set", "training.steps_per_epoch=2", "--set", "data.image_size=32"]
    first = _run(tmp_path, "drmn", *arguments, "--set", "training.epochs=1")
    assert first.returncode == 0, first.stdout + first.stderr
    refused = _run(tmp_path, "drmn", *arguments)
    assert refused.returncode == 2
    assert "--resume" in refused.stderr
    second = _run(tmp_path, "drmn", *arguments, "--set", "training.epochs=2", "--resume")
    assert second.returncode == 0, second.stdout + second.stderr
    assert "epoch  2/2" in second.stdout
    scores = json.loads((tmp_path / "run" / "scores.json").read_text())
    assert scores["protocol"] == "validation"
    assert "gzsl_harmonic" in scores["scores"]


def test_a_plan_runs_nothing_and_the_sweep_is_compared_with_it(tmp_path: Path) -> None:
    arguments = ["--dataset", "sprites", "--trials", "2", "--epochs", "2", "--name", "planned"]
    arguments += ["--set", "training.steps_per_epoch=2", "--set", "data.image_size=32"]
    arguments += ["--grace-period", "1", "--final-seeds", "2", "--gpus-per-trial", "auto"]
    planned = _run(tmp_path, "drmn-sweep", *arguments, "--plan", "--json")
    assert planned.returncode == 0, planned.stdout + planned.stderr
    plan = json.loads(planned.stdout)
    assert plan["num_final_runs"] == 4
    assert plan["gpus"] == 0 or torch.cuda.is_available()
    assert plan["measured"]["trial_bytes"] > 0
    assert not plan["places"]["store_exists"]
    home = tmp_path / ".drmn"
    assert not (home / "cache").exists()
    assert {path.name for path in (home / "sweeps" / "planned").iterdir()} == {"plan.json"}
    done = _run(tmp_path, "drmn-sweep", *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"planned {plan['pruned']['epochs']:.0f} epochs, real " in done.stdout
    result = json.loads((home / "sweeps" / "planned" / "result.json").read_text())
    assert set(result["final"]) == {"winner", "paper"}
    for final in result["final"].values():
        assert set(final["seeds"]) == {"0", "1"}
        assert final["low"]["gzsl_harmonic"] <= final["mean"]["gzsl_harmonic"]
    (store,) = (home / "cache" / "features").glob("*/manifest.json")
    written = sum(path.stat().st_size for path in store.parent.glob("*.arrow"))
    assert plan["places"]["store_bytes"] == pytest.approx(written, rel=0.01)


def test_a_diverging_trial_has_failed_with_its_reason(tmp_path: Path) -> None:
    """Nothing to test on is left: it is no bad score."""
    write_pooled(tmp_path / "GIVEN")
    arguments = ["--dataset", "given", "--data-root", ".", "--features", "given"]
    arguments += ["--variant", "baseline", "--trials", "1", "--epochs", "2", "--name", "nan"]
    arguments += ["--set", "training.steps_per_epoch=2", "--set", "training.classes_per_batch=2"]
    arguments += ["--grace-period", "1", "--set", "optimiser.lr=1e30"]
    done = _run(tmp_path, "drmn-sweep", *arguments)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "trial 0000  failed after epoch 0: the losses of epoch 1, step 2 are" in done.stdout
    assert "no trial ended an epoch; reasons: the losses of epoch 1" in done.stderr
    assert "'optimiser.lr': 1e+30" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / ".drmn/sweeps/nan/final").exists()
