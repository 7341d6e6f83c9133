"""Vision-language model: vision tower, projector, language model, and the text they read."""
