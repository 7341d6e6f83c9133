"""Keep the tracking server for several machines: MLflow with Postgres, as a file for Docker Compose."""
