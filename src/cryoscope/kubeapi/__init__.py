"""A thin Kubernetes client: credentials as kubectl finds them, and the few requests that captures need."""
