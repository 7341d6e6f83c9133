"""What a tracking server is given: replay of spools, MLflow runs, saved views."""

import os

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # read when mlflow is imported, as modules of this folder do
