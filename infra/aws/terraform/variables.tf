variable "name" {
  description = "Prefix of all names; also the cluster_name of infra/aws/cluster.yaml."
  type        = string
  default     = "drmn"
}

variable "bucket" {
  description = "Name of the bucket, unique in the world."
  type        = string
}

variable "region" {
  description = "Where everything is made."
  type        = string
  default     = "eu-central-1"
}

variable "cidr" {
  description = "Addresses of the cluster's network."
  type        = string
  default     = "10.40.0.0/16"
}

variable "ssh_cidrs" {
  description = "Networks, such as a VPN's, from which `ray up` may reach the machines; none by default."
  type        = list(string)
  default     = []
  validation {
    condition     = !contains(var.ssh_cidrs, "0.0.0.0/0") && !contains(var.ssh_cidrs, "::/0")
    error_message = "ssh_cidrs must not be the whole internet."
  }
}

variable "checkpoint_days" {
  description = "After so many days what sweeps keep for resuming is deleted."
  type        = number
  default     = 90
  validation {
    condition     = var.checkpoint_days >= 1
    error_message = "checkpoint_days must be >= 1."
  }
}

variable "create_spot_role" {
  description = "Make AWSServiceRoleForEC2Spot, which an account that never had a spot machine lacks."
  type        = bool
  default     = false
}

variable "oidc_provider" {
  description = "Of an EKS cluster, without https://, for the roles of infra/kuberay/overlays/aws; empty: no such roles."
  type        = string
  default     = ""
}

variable "namespace" {
  description = "Of the Kubernetes objects."
  type        = string
  default     = "drmn"
}
