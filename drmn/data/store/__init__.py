"""The store of shards that trainings read: made once, verified, local or remote."""
