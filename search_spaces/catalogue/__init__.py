"""Keep facts about encoders, language models, data, benchmarks and recipes, each with its source."""
