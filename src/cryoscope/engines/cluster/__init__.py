"""Restores into a cluster: what is there already, the pod made and waited for, or all of it taken away again.

network     which NetworkPolicies of a namespace hold or open what is restored there
applying    created in order, and undone if the container does not go on
waiting     until it goes on, or the node's own reason why it does not
errors      what the API server and the node refuse, each with a code
"""
