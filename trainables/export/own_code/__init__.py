"""Model code that is copied into an exported folder. It imports nothing of this project."""
