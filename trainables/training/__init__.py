"""Train a stage: DeepSpeed engine, learning-rate schedule, weights in and out."""
