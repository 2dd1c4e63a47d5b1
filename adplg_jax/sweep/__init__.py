"""Many runs and one table: rows of configurations, each with several seeds."""
