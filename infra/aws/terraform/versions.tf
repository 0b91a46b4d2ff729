terraform {
  required_version = ">= 1.6"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.100"
    }
  }
  # State holds no secret of drmn's, but names all resources: keep it in an encrypted, private place,
  # such as `backend "s3"` with a bucket that is not the one made here.
}

provider "aws" {
  region = var.region
  default_tags {
    tags = { project = var.name }
  }
}
