"""Read results per question as evaluation harnesses write them: one module each, with its line in `registry`."""
