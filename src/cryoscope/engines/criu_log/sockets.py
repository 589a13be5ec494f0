"""CRIU's errors about sockets and the network's locking."""

from __future__ import annotations

from cryoscope.engines.criu_log.row import NEWER, OUTSIDE, row

ROWS = (
    row(
        "tcp-established",
        "it has established TCP connections",
        "keep them with --tcp established, or close them with --tcp close",
        r"Connected TCP socket",
    ),
    row(
        "tcp-in-flight",
        "a client's TCP connection waits to be accepted",
        "try again when it has been accepted, or let CRIU drop it (skip-in-flight)",
        r"In-flight connections? (?:\(l\)|can be)",
    ),
    row(
        "tcp-close-missing",
        "it was dumped with its TCP connections closed",
        "restore it with --tcp close too",
        r"Need to set the --tcp-close",
    ),
    row(
        "tcp-bind-address",
        "a socket's address does not exist here",
        "give the copy the same address, or restore with --tcp close",
        r"Can't bind inet socket.*(?:Cannot assign requested address|Address not available)",
    ),
    row(
        "tcp-port-taken",
        "a port that it listens on is taken here",
        "end what has the port, or restore in the sandbox, which has a network of its own",
        r"Can't bind inet socket.*Address already in use|Can't listen on a socket.*already in use",
    ),
    row(
        "tcp-unreachable",
        "the peer of a connection is not reachable from here",
        "restore it on the same network under the same address, or with --tcp close",
        r"Can't connect inet socket back",
    ),
    row(
        "tcp-repair",
        "CRIU may not take over TCP connections here",
        "run it with CAP_NET_ADMIN, or close the connections with --tcp close",
        r"libsoccr|TCP_REPAIR|TCP repair|(?:Failed to|Can't) (?:un)?lock TCP connection",
    ),
    row(
        "firewall",
        "CRIU's locking of the network needs iptables or nftables, and that failed",
        "install iptables or nftables on the machine of the engine",
        r"Locking network failed|iptables|nft command|nftables|libnftables|IP tool failed|xtlocks",
    ),
    row(
        "sock-diag",
        "the kernel does not tell about sockets of one kind",
        "load the modules tcp_diag, udp_diag, inet_diag, unix_diag, netlink_diag and af_packet_diag",
        r"Diag module missing|Sockets \(family \d+ proto \d+\) are not collected",
    ),
    row(
        "socket-option",
        "this CRIU and this kernel do not agree about an option of sockets",
        NEWER + " (4.2 for Linux 6.16 and newer)",
        r"Can't [gs]et \d+:\d+ (?:opt|\(len)",
    ),
    row(
        "multipath-tcp",
        "it uses multipath TCP, which CRIU cannot dump",
        "start Go programs with GODEBUG=multipathtcp=0",
        r"Unsupported proto 262|disable MPTCP",
    ),
    row(
        "socket-kind",
        "it has a socket of a kind or in a state that CRIU cannot dump",
        "try again later; if it stays, end that connection in the container first",
        r"Unsupported proto|Unsupported socket|Only stream, dgram and raw|corked dgram",
        r"Unknown pair family|Unknown socket collected|Unknown inet socket|Mmap-ed socket",
        r"mc membership|netlink socket 0x|Groups above 32|The socket has data to read",
    ),
    row(
        "unix-in-flight",
        "a connection of a unix socket waits to be accepted",
        "try again when it has been accepted",
        r"In-flight connection on|in-flight socket",
    ),
    row(
        "unix-external",
        "it is connected by a unix socket with a process outside of it",
        "end that connection first, or " + OUTSIDE,
        r"External socket (?:is used|found)|half of stream unix|name-less external socket",
        r"with(?:out| unreachable) peer|Dangling connection|Peer \d+ unresolved",
    ),
    row(
        "unix-address",
        "a unix socket cannot be made where it was",
        "take the old socket file away, or restore in the sandbox",
        r"Can't bind id 0x|ghost: Can't (?:bind|create|access|rename|unlink)",
    ),
)
