"""Optuna's storage: does it answer, and is it of our version?"""

from drmn.places import without_password
from orchestration.doctor.finding import Finding, bad, good
from orchestration.settings import STUDY_STORAGE, Settings

ANSWER_S = 4


def check_study_storage(settings: Settings) -> list[Finding]:
    """Of ``DRMN_STUDY_STORAGE``."""
    url = settings.study_storage
    if url is None:
        return [good("a journal file beside each sweep, written by its driver alone")]
    from orchestration.searcher.storage import schema_versions

    found, wanted = schema_versions(url, ANSWER_S)
    shown = without_password(url)
    if found == wanted:
        return [good(f"{shown}: tables of Optuna {found}")]
    return [
        bad(
            f"the tables of {shown} are of {found}, this Optuna's of {wanted}",
            f'keep a copy, then run `optuna storage upgrade --storage "${STUDY_STORAGE}"`',
        )
    ]
