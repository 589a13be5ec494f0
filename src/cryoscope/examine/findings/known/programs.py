"""Programs by name: shells, tools that fetch, interpreters, and what attackers bring along."""

from __future__ import annotations

import re

from cryoscope.checkpoint.process import Process
from cryoscope.examine.findings.known.folders import base

SHELLS = frozenset(["sh", "bash", "dash", "ash", "zsh", "ksh", "mksh", "fish", "tcsh", "csh", "busybox"])
FETCHERS = frozenset(["curl", "wget", "fetch", "nc", "ncat", "netcat", "socat", "telnet", "httpie", "aria2c"])
INTERPRETERS = re.compile(
    r"(?:python|perl|ruby|php|node|lua|awk|gawk|mawk|java|tclsh|gdb|vim|tar|cp|find)[\d.]*$"
)

OFFENSIVE = {
    "linpeas": "finds ways to more rights",
    "linpeas.sh": "finds ways to more rights",
    "linpeas_linux_amd64": "finds ways to more rights",
    "linenum.sh": "finds ways to more rights",
    "lse.sh": "finds ways to more rights",
    "linux-exploit-suggester.sh": "finds ways to more rights",
    "les.sh": "finds ways to more rights",
    "pspy64": "watches other processes",
    "pspy32": "watches other processes",
    "deepce.sh": "escapes from containers",
    "cdk_linux_amd64": "escapes from containers",
    "amicontained": "finds ways out of containers",
    "peirates": "attacks Kubernetes from within a pod",
    "kubeletctl": "attacks kubelets",
    "kube-hunter": "looks for weaknesses of clusters",
    "botb": "escapes from containers",
    "traitor": "gets root rights",
    "traitor-amd64": "gets root rights",
    "pwnkit": "gets root rights",
    "dirtypipe": "gets root rights",
    "dirtycow": "gets root rights",
    "mimipenguin": "reads passwords out of memory",
    "mimipenguin.sh": "reads passwords out of memory",
    "lazagne": "collects passwords",
    "msfconsole": "Metasploit",
    "msfvenom": "makes programs for remote control",
    "meterpreter": "remote control",
    "sliver-client": "remote control",
    "sliver-server": "remote control",
    "merlinagent": "remote control",
    "pupysh": "remote control",
    "diamorphine": "hides processes in the kernel",
    "gsocket": "remote shell through a relay",
    "gs-netcat": "remote shell through a relay",
    "kinsing": "known malware",
    "kdevtmpfsi": "known malware",
    "tntrecht": "known malware",
}
"""Programs that have no honest work in a container."""

DUAL = {
    "nmap": "looks for open ports",
    "masscan": "looks for open ports",
    "zmap": "looks for open ports",
    "zgrab": "looks for open ports",
    "rustscan": "looks for open ports",
    "naabu": "looks for open ports",
    "pnscan": "looks for open ports",
    "hydra": "guesses passwords",
    "hashcat": "guesses passwords",
    "sqlmap": "attacks databases through the web",
    "nuclei": "looks for weaknesses",
    "nikto": "looks for weaknesses",
    "gobuster": "guesses addresses",
    "ffuf": "guesses addresses",
    "chisel": "tunnels through the web",
    "ligolo-agent": "tunnels",
    "frpc": "tunnels through a relay",
    "ngrok": "tunnels through a relay",
    "gost": "tunnels",
    "rathole": "tunnels",
    "bore": "tunnels through a relay",
    "proxychains4": "hides where connections come from",
    "tor": "hides where connections go",
    "kubectl": "speaks to the cluster",
    "crictl": "speaks to the node's containers",
    "ctr": "speaks to the node's containers",
    "nerdctl": "speaks to the node's containers",
    "nsenter": "enters other namespaces",
    "unshare": "makes namespaces of its own",
    "tcpdump": "listens to the network",
    "tshark": "listens to the network",
    "ettercap": "stands between others",
    "bettercap": "stands between others",
    "strace": "watches another process",
    "gdb": "reads another process",
    "gcore": "reads another process",
    "insmod": "loads kernel modules",
    "modprobe": "loads kernel modules",
    "debugfs": "reads disks past their file systems",
}
"""Programs that administrators have, and attackers too."""

# fmt: off
MINERS = frozenset((
    "xmrig", "xmrig-notls", "xmr-stak", "xmr-stak-rx", "xmrigdaemon", "xmrigminer", "minerd",
    "cpuminer", "cpuminer-multi", "ccminer", "ethminer", "nbminer", "lolminer", "t-rex",
    "phoenixminer", "gminer", "teamredminer", "srbminer", "srbminer-multi", "bfgminer", "cgminer",
    "nanominer", "claymore", "nheqminer", "ewbf", "kawpowminer", "wildrig-multi", "astrominer",
    "kdevtmpfsi", "kinsing"
))
# fmt: on

# fmt: off
RUNTIME_CLIENTS = frozenset((
    "dockerd", "containerd", "crio", "kubelet", "traefik", "portainer", "agent", "watchtower",
    "cadvisor", "falco", "telegraf", "datadog-agent", "vector", "fluent-bit", "fluentd", "promtail",
    "gitlab-runner", "buildkitd", "diun", "dozzle", "docker-gen", "node-problem-detector", "filebeat",
    "metricbeat", "alloy", "otelcol", "otelcol-contrib", "sysdig", "tetragon", "autoheal", "nomad"
))
# fmt: on
"""Programs that are known to speak to a container engine, which is their work."""


def names(process: Process) -> list[str]:
    """What a process may be called: its program's name, its first argument's and its own."""
    first = process.cmdline[0] if process.cmdline else ""
    found = [base(process.exe or ""), base(first.split(" ")[0]), process.comm]
    if found[0] in SHELLS or INTERPRETERS.match(found[0]):
        found += [base(argument) for argument in (process.cmdline or [])[1:2] if not argument.startswith("-")]
    return [name for name in dict.fromkeys(found) if name]


def is_shell(process: Process) -> bool:
    """Whether a process is a shell."""
    return any(name.lstrip("-") in SHELLS - {"busybox"} for name in names(process)[:2])
