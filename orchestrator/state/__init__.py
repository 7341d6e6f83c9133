"""What storage knows of a study: the ledger, its status, its logs."""
