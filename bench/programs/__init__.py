"""Small whole programs that are measured: baselines, a peer's library, one function of ours."""
