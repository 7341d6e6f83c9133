"""What a tracking server is given: replay of spools, MLflow runs, saved views."""
