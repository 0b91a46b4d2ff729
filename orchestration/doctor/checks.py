"""All checks, in the order in which they are shown."""

from orchestration.doctor.data_root import check_data_root
from orchestration.doctor.finding import Check
from orchestration.doctor.gpu import check_gpu
from orchestration.doctor.machine import check_machine
from orchestration.doctor.mlflow_server import check_mlflow
from orchestration.doctor.object_stores import check_stores
from orchestration.doctor.private_files import check_private_files
from orchestration.doctor.ray_cluster import check_ray
from orchestration.doctor.several_nodes import check_several_nodes
from orchestration.doctor.study_storage import check_study_storage
from orchestration.doctor.versions import check_versions

CHECKS = (
    Check(name="machine", look=check_machine),
    Check(name="versions", look=check_versions),
    Check(name="GPU", look=check_gpu, limit_s=30.0),
    Check(name="Ray", look=check_ray, limit_s=60.0),
    Check(name="MLflow", look=check_mlflow, limit_s=30.0),
    Check(name="study storage", look=check_study_storage, limit_s=20.0),
    Check(name="object stores", look=check_stores, limit_s=30.0),
    Check(name="several nodes", look=check_several_nodes),
    Check(name="data", look=check_data_root),
    Check(name="secrets", look=check_private_files),
)
