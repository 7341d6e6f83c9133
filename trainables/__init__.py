"""How a trial trains and is scored. Heavy imports (torch, deepspeed, transformers, timm) stay in the leaves."""
