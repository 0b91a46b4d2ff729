output "sweep_storage" {
  description = "DRMN_SWEEP_STORAGE"
  value       = "s3://${aws_s3_bucket.store.id}/sweeps"
}

output "result_store" {
  description = "DRMN_RESULT_STORE"
  value       = "s3://${aws_s3_bucket.store.id}/results"
}

output "store_encryption" {
  description = "DRMN_STORE_ENCRYPTION, where it must be said; unset, the bucket takes this key itself"
  value       = "aws:kms/${aws_kms_key.store.arn}"
}

output "subnets" {
  description = "SubnetIds of infra/aws/cluster.yaml"
  value       = aws_subnet.private[*].id
}

output "instance_profiles" {
  description = "IamInstanceProfile of infra/aws/cluster.yaml, for head and worker"
  value       = { for kind, profile in aws_iam_instance_profile.machine : kind => profile.arn }
}

output "security_group" {
  description = "GroupName of infra/aws/cluster.yaml"
  value       = aws_security_group.ray.name
}

output "account_roles" {
  description = "role-arn annotations of infra/kuberay/overlays/aws/accounts.yaml"
  value       = { for account, role in aws_iam_role.account : account => role.arn }
}
