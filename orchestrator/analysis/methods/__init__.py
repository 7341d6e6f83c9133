"""Statistical methods: from results and hypotheses to verdicts, one module each."""
