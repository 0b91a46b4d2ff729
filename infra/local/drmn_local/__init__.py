"""MLflow, PostgreSQL and an S3 store on loopback, without a container engine."""
