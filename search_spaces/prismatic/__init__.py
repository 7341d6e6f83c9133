"""The paper *Prismatic VLMs* (2024): its studies, its claims and its published scores."""
