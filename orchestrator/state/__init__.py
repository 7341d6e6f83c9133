"""Read what storage holds of a study: the ledger, its status, its logs."""
