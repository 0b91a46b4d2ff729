from ray.tune.execution import class_cache

from orchestration.cluster import _keep_credentials_here


def test_no_credential_reaches_a_runtime_env() -> None:
    _keep_credentials_here()
    names = class_cache.ENV_VARS_TO_PROPAGATE
    assert names
    assert not [name for name in names if "AWS" in name or "KEY" in name or "TOKEN" in name]
