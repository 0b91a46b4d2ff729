"""What works on one machine only, where a cluster is configured."""

from pathlib import Path

from orchestration.doctor.finding import Finding, bad, good, warning
from orchestration.exposure import is_loopback
from orchestration.settings import (
    OWN_RAY,
    RAY_ADDRESS,
    STUDY_STORAGE,
    SWEEP_STORAGE,
    TRACKING_URI,
    Settings,
)

_MOUNTS = Path("/proc/mounts")
_NETWORK = (
    "9p",
    "afs",
    "beegfs",
    "ceph",
    "cifs",
    "fuse",
    "gluster",
    "gpfs",
    "lustre",
    "nfs",
    "smb",
)


def check_several_nodes(settings: Settings) -> list[Finding]:
    """Checkpoints, runs and studies: can every node, and the next driver, reach them?"""
    address = settings.ray_address
    if not address or address in OWN_RAY:
        return [good(f"{RAY_ADDRESS} is not set: one machine, for which local files do")]
    remote = address != "auto" and not is_loopback(address)  # else Ray's check counts hosts
    found = [judge_checkpoints(settings.sweep_storage, remote=remote)]
    if settings.tracking_uri.startswith("sqlite"):
        text = "MLflow is a SQLite file on this machine: no other machine sees the runs"
        found.append(warning(text, f"start a server with PostgreSQL and set {TRACKING_URI}"))
    if (settings.study_storage or "sqlite").startswith("sqlite"):
        kind = "SQLite" if settings.study_storage else "a journal file"
        text = f"Optuna's study is {kind} on the driver's disk: it is lost with that machine"
        found.append(warning(text, f"set {STUDY_STORAGE}=postgresql://…"))
    return found


def judge_checkpoints(storage: str, *, remote: bool) -> Finding:
    """Can the other nodes see them? ``remote``: there are some, or may be."""
    if "://" in storage:
        return good("checkpoints are in an object store")
    kind = file_system(Path(storage), _MOUNTS.read_text() if _MOUNTS.is_file() else "")
    if kind.startswith(_NETWORK):
        return good(f"checkpoints are on {kind}; see that every node mounts {storage}")
    say = bad if remote else warning
    return say(
        f"checkpoints go to {storage}, a disk of this machine ({kind}): other nodes do not see it",
        f"set {SWEEP_STORAGE} to a folder that all nodes mount, or to s3://bucket/prefix",
    )


def file_system(path: Path, mounts: str) -> str:
    """The kind of file system that ``path`` is on, by lines as of /proc/mounts."""
    kinds = {line.split()[1]: line.split()[2] for line in mounts.splitlines()}
    where = (str(folder) for folder in (path, *path.parents))
    return next((kinds[folder] for folder in where if folder in kinds), "unknown")
