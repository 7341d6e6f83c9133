"""Scoring trained models: questions in batches that no hardware shapes, answers, scores per example."""
