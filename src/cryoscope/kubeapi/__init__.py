"""A thin Kubernetes client: credentials as kubectl finds them, and the few requests that captures need.

`client.connect` is the door.  `config` reads kubeconfigs, `credentials` and `tls` make of one context what
goes on the wire, `http` sends one bounded request, `streams` runs a command in a container.
"""
