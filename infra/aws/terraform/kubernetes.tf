# Roles for the accounts `ray` and `mlflow` of infra/kuberay/overlays/aws, by the cluster's own tokens.
locals {
  accounts = var.oidc_provider == "" ? {} : { ray = "trials", mlflow = "mlflow" }
}

data "aws_iam_policy_document" "account" {
  for_each = local.accounts
  statement {
    actions = ["sts:AssumeRoleWithWebIdentity"]
    principals {
      type        = "Federated"
      identifiers = ["arn:aws:iam::${data.aws_caller_identity.current.account_id}:oidc-provider/${var.oidc_provider}"]
    }
    condition {
      test     = "StringEquals"
      variable = "${var.oidc_provider}:sub"
      values   = ["system:serviceaccount:${var.namespace}:${each.key}"]
    }
    condition {
      test     = "StringEquals"
      variable = "${var.oidc_provider}:aud"
      values   = ["sts.amazonaws.com"]
    }
  }
}

resource "aws_iam_role" "account" {
  for_each           = local.accounts
  name               = "${var.name}-${each.key}"
  assume_role_policy = data.aws_iam_policy_document.account[each.key].json
}

resource "aws_iam_role_policy_attachment" "account_objects" {
  for_each   = local.accounts
  role       = aws_iam_role.account[each.key].name
  policy_arn = aws_iam_policy.objects[each.value].arn
}
