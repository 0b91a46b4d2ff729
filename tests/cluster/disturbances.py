"""What befalls a sweep, one function each: it returns when all is well again."""

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from cluster_sweep import ClusterSweep
from job_api import wait_until
from namespaces import Host
from rig import Rig

S3_AWAY_S, MLFLOW_AWAY_S = 60.0, 60.0
_LIMIT_S = 60.0


@dataclass(frozen=True, kw_only=True)
class Recovery:
    """``back_s``: until each trial that was under way had ended another epoch."""

    back_s: float
    remark: str = ""


def lose_worker(rig: Rig, sweep: ClusterSweep) -> Recovery:
    """Everything on a host with a trial is killed at once."""
    victim, trials = _victim(rig, sweep)
    victim.kill()
    back_s = sweep.await_progress(trials)
    _went_elsewhere(sweep, trials, victim)
    return Recovery(back_s=back_s)


def cut_worker(rig: Rig, sweep: ClusterSweep) -> Recovery:
    """Such a host's cable is pulled; plugged in again, its raylet ends and is started anew."""
    victim, trials = _victim(rig, sweep)
    victim.cut()
    back_s = sweep.await_progress(trials)
    _went_elsewhere(sweep, trials, victim)
    victim.mend()
    ended_s = wait_until(lambda: not victim.pids(), f"{victim.name} ends", _LIMIT_S)
    rig.ray.start_worker(victim)
    return Recovery(
        back_s=back_s, remark=f"plugged in again, the old raylet had ended after {ended_s:.0f} s"
    )


def kill_driver(rig: Rig, sweep: ClusterSweep) -> Recovery:
    """kill -9 of the job's own process on the head; then `drmn runs resume`, as another job."""
    trials, started = sweep.unfinished(), time.monotonic()
    replace_driver(sweep, rig.ray.head.pids())
    sweep.await_progress(trials)
    return Recovery(back_s=time.monotonic() - started)


def replace_driver(sweep: ClusterSweep, pids: list[int]) -> None:
    """kill -9 of that of ``pids`` which is the driver; once its job has failed, another."""
    found = [pid for pid in pids if _is_driver(pid, sweep.name)]
    assert len(found) == 1, found
    os.kill(found[0], signal.SIGKILL)
    wait_until(lambda: sweep.ray.job_status(sweep.jobs[-1]) == "FAILED", "the job fails", _LIMIT_S)
    sweep.resume()


def lose_head(rig: Rig, sweep: ClusterSweep) -> Recovery:
    """Everything on the head is killed, and with it the driver; then it is started again."""
    trials, started = sweep.unfinished(), time.monotonic()
    kept = {host.name: set(host.pids()) for host in rig.workers}
    rig.ray.head.kill()
    rig.ray.start_head()
    joined_s = rig.ray.await_nodes(rig.workers)
    sweep.resume()
    sweep.await_progress(trials)
    assert all(kept[host.name] & set(host.pids()) for host in rig.workers)  # the same raylets
    return Recovery(
        back_s=time.monotonic() - started, remark=f"head and workers joined after {joined_s:.0f} s"
    )


def stop_s3(rig: Rig, sweep: ClusterSweep) -> Recovery:
    """S3's proxy is killed, and is back after a minute."""
    trials, started = sweep.unfinished(), time.monotonic()
    rig.stores.s3.kill("proxy")
    time.sleep(S3_AWAY_S)
    with rig.stores.host.entered():
        rig.stores.s3.start("proxy")
    sweep.await_progress(trials)
    return Recovery(
        back_s=time.monotonic() - started, remark=f"of these, S3 was away for {S3_AWAY_S:.0f} s"
    )


def stop_mlflow(rig: Rig, sweep: ClusterSweep) -> Recovery:
    """MLflow's server is killed, and is back after a minute; trials do not wait for it."""
    trials, started = sweep.unfinished(), time.monotonic()
    rig.stores.mlflow.kill()
    back_s = sweep.await_progress(trials)
    time.sleep(MLFLOW_AWAY_S - (time.monotonic() - started))
    with rig.stores.host.entered():
        rig.stores.mlflow.start()
    return Recovery(back_s=back_s, remark="nothing waits for MLflow")


def _victim(rig: Rig, sweep: ClusterSweep) -> tuple[Host, dict[str, int]]:
    """The host of the trial that has most epochs left; the last epochs of all trials there."""
    epochs = sweep.unfinished()
    nodes = {name: node for name, node in sweep.nodes().items() if name in epochs}
    behind = min(nodes, key=lambda name: epochs[name])
    victim = next(host for host in rig.workers if host.address == nodes[behind])
    return victim, {name: epochs[name] for name, node in nodes.items() if node == victim.address}


def _went_elsewhere(sweep: ClusterSweep, trials: dict[str, int], victim: Host) -> None:
    last = {each.trial: each for each in sweep.taken_up()}
    assert all(last[name].node != victim.address for name in trials), last


def _is_driver(pid: int, name: str) -> bool:
    """Python runs drmn in it; it is not the shell around that."""
    try:
        line = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False  # it ended meanwhile
    is_drmn = any(word.endswith((b"/drmn", b"/drmn-sweep")) for word in line[:2])
    return is_drmn and name.encode() in line
