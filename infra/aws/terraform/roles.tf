# Who may do what. No role may change the bucket itself, its versions or its key.
locals {
  prefixes = {
    trials = ["sweeps", "results"]
    mlflow = ["mlflow"]
  }
}

data "aws_caller_identity" "current" {}

data "aws_iam_policy_document" "objects" {
  for_each = local.prefixes

  statement {
    sid       = "List"
    actions   = ["s3:ListBucket"]
    resources = [aws_s3_bucket.store.arn]
    condition {
      test     = "StringLike"
      variable = "s3:prefix"
      values   = flatten([for prefix in each.value : [prefix, "${prefix}/*"]])
    }
  }

  statement {
    sid = "Objects"
    actions = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload",
    "s3:ListMultipartUploadParts"]
    resources = [for prefix in each.value : "${aws_s3_bucket.store.arn}/${prefix}/*"]
  }

  statement {
    sid       = "Key"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = [aws_kms_key.store.arn]
    condition {
      test     = "StringEquals"
      variable = "kms:ViaService"
      values   = ["s3.${var.region}.amazonaws.com"]
    }
  }
}

resource "aws_iam_policy" "objects" {
  for_each = local.prefixes
  name     = "${var.name}-${each.key}-objects"
  policy   = data.aws_iam_policy_document.objects[each.key].json
}

data "aws_iam_policy_document" "machines" {
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = ["ec2.amazonaws.com"]
    }
  }
}

# Machines of infra/aws/cluster.yaml: the head, which also starts and ends workers, and the workers.
resource "aws_iam_role" "machine" {
  for_each           = toset(["head", "worker"])
  name               = "${var.name}-${each.key}"
  assume_role_policy = data.aws_iam_policy_document.machines.json
}

resource "aws_iam_instance_profile" "machine" {
  for_each = aws_iam_role.machine
  name     = each.value.name
  role     = each.value.name
}

resource "aws_iam_role_policy_attachment" "machine_objects" {
  for_each   = aws_iam_role.machine
  role       = each.value.name
  policy_arn = aws_iam_policy.objects["trials"].arn
}

data "aws_iam_policy_document" "autoscaler" {
  statement {
    sid = "Look"
    actions = ["ec2:DescribeInstances", "ec2:DescribeImages", "ec2:DescribeSubnets",
    "ec2:DescribeSecurityGroups", "ec2:DescribeKeyPairs", "ec2:DescribeInstanceTypes"]
    resources = ["*"]
  }

  statement {
    sid     = "StartInOurNetwork"
    actions = ["ec2:RunInstances"]
    resources = concat(
      [for subnet in aws_subnet.private : subnet.arn],
      [aws_security_group.ray.arn],
      [for kind in ["image/*", "snapshot/*"] : "arn:aws:ec2:${var.region}::${kind}"],
      [for kind in ["volume/*", "network-interface/*", "key-pair/*", "spot-instances-request/*"] :
      "arn:aws:ec2:${var.region}:${data.aws_caller_identity.current.account_id}:${kind}"],
    )
  }

  statement {
    sid       = "StartAsOurs"
    actions   = ["ec2:RunInstances"]
    resources = [local.instances]
    condition {
      test     = "StringEquals"
      variable = "aws:RequestTag/ray-cluster-name"
      values   = [var.name]
    }
  }

  statement {
    sid       = "NameWhatStarts"
    actions   = ["ec2:CreateTags"]
    resources = [local.instances, replace(local.instances, "instance/", "volume/")]
    condition {
      test     = "StringEquals"
      variable = "ec2:CreateAction"
      values   = ["RunInstances"]
    }
  }

  statement {
    sid       = "EndAndRenameOurs"
    actions   = ["ec2:TerminateInstances", "ec2:CreateTags"]
    resources = [local.instances]
    condition {
      test     = "StringEquals"
      variable = "ec2:ResourceTag/ray-cluster-name"
      values   = [var.name]
    }
  }

  statement {
    sid       = "GiveWorkersTheirRole"
    actions   = ["iam:PassRole"]
    resources = [aws_iam_role.machine["worker"].arn]
    condition {
      test     = "StringEquals"
      variable = "iam:PassedToService"
      values   = ["ec2.amazonaws.com"]
    }
  }
}

# Spot machines need this role once per account; where the account has it, creating it fails.
resource "aws_iam_service_linked_role" "spot" {
  count            = var.create_spot_role ? 1 : 0
  aws_service_name = "spot.amazonaws.com"
}

locals {
  instances = "arn:aws:ec2:${var.region}:${data.aws_caller_identity.current.account_id}:instance/*"
}

resource "aws_iam_role_policy" "autoscaler" {
  name   = "autoscaler"
  role   = aws_iam_role.machine["head"].name
  policy = data.aws_iam_policy_document.autoscaler.json
}
