"""Every s3:// place: credentials from the chain, and a small object written, read and deleted."""

import uuid

from drmn.errors import DrmnError
from drmn.places import shown
from orchestration.doctor.finding import Finding, bad, good, warning
from orchestration.settings import Settings, place_of

ANSWER_S = 4.0
_PROBE = b"written by drmn doctor; it may be deleted"


def check_stores(settings: Settings) -> list[Finding]:
    """Checkpoints, results and artifacts, where they go to a bucket."""
    places = [settings.sweep_storage, settings.result_store, settings.artifact_root]
    buckets = sorted({place_of(place) for place in places if place and place.startswith("s3://")})
    if not buckets:
        return [good("no bucket is configured")]
    return [_credentials(), *(probe(place) for place in buckets)]


def _credentials() -> Finding:
    from orchestration.artifacts import credentials_source

    source = credentials_source()
    if source:
        return good(f"credentials come from: {source}")
    return warning(
        "no AWS credentials were found",
        "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    )


def probe(place: str) -> Finding:
    """One place, by an object of its own name that is gone after."""
    from orchestration.artifacts import ArtifactStore

    name = f"drmn-doctor-{uuid.uuid4().hex}"
    try:
        store = ArtifactStore(place, attempts=1, timeout_s=ANSWER_S)
        store.write(name, _PROBE)
        store.read(name)
        store.delete(name)
        if store.read(name) is not None:
            return warning(
                f"{shown(place)}: a deleted object can still be read",
                "see whether the bucket keeps versions or is cached",
            )
    except DrmnError as error:
        return bad(error.message, error.remedy)
    return good(f"{shown(place)}: written, read and deleted")
