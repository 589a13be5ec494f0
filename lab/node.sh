#!/bin/bash
# node.sh NAME ROOT: a node, which lives until its standard input ends.
#
# The outer half makes a cgroup of its own in every hierarchy, starts the inner half as the first process
# of new namespaces, and takes the cgroups away when that has ended.  The inner half mounts what a node
# needs, moves into ROOT, says "ready" and waits.  ROOT stays read-only: what a node writes lies in
# memory.  Mounts, links and processes are gone with the namespaces, whoever is killed; cgroups that a
# killed outer half leaves are swept by the next node (lab/cgroups.py).
set -eu

outer() {
  local name=$1 root=$2 parent group
  groups=()
  for parent in $(parents); do
    group=$parent/$name
    mkdir "$group"
    groups+=("$group")
    # a cpuset without processors and memory takes no process
    if [ -e "$group/cpuset.mems" ] && [ -e "$group/cgroup.clone_children" ]; then
      cat "$parent/cpuset.cpus" > "$group/cpuset.cpus"
      cat "$parent/cpuset.mems" > "$group/cpuset.mems"
      echo 1 > "$group/cgroup.clone_children"
    fi
  done
  trap 'gone "${groups[@]}"' EXIT
  trap : HUP INT TERM
  (
    for group in "${groups[@]}"; do echo "$BASHPID" > "$group/cgroup.procs"; done
    exec unshare --mount --pid --ipc --uts --net --cgroup --fork --kill-child --propagation private \
      bash "$0" --inner "$root"
  ) || true
}

# Where this process is in each hierarchy; under cgroup v2 a group that holds processes can have no
# children with controllers, so the node's stands at the root.
parents() {
  local id controllers path folder
  if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
    echo /sys/fs/cgroup
    return
  fi
  while IFS=: read -r id controllers path; do
    controllers=${controllers#name=}
    folder=/sys/fs/cgroup/${controllers:-unified}$path
    if [ -d "$folder" ]; then echo "${folder%/}"; fi
  done < /proc/self/cgroup
}

gone() {
  local try group file
  # what CRIU froze cannot be killed before it is thawed
  for group; do
    for file in $(find "$group" -name freezer.state 2> /dev/null); do echo THAWED > "$file" || true; done
    for file in $(find "$group" -name cgroup.freeze 2> /dev/null); do echo 0 > "$file" || true; done
  done
  for try in $(seq 100); do
    for group; do
      if [ -d "$group" ]; then find "$group" -depth -type d -exec rmdir {} + 2> /dev/null || true; fi
    done
    left "$@" || return 0
    sleep 0.1
  done
}

left() {
  local group
  for group; do if [ -d "$group" ]; then return 0; fi; done
  return 1
}

inner() {
  local root=$1 folder
  mount --bind "$root" "$root"
  cd "$root"
  mount -t proc proc proc
  mount -t sysfs sysfs sys
  cgroups sys/fs/cgroup
  devices dev
  mount -t tmpfs -o mode=755 tmpfs run
  mkdir -p run/lock
  for folder in tmp var/tmp; do mount -t tmpfs -o mode=1777 tmpfs "$folder"; done
  for folder in etc root var/cache var/log var/lib; do copied "$folder"; done
  mkdir run/old
  mount -o remount,ro,bind .
  pivot_root . run/old
  umount -l /run/old
  rmdir /run/old
  hostname node
  ip link set lo up
  echo ready
  # orphans are reaped by bash while it waits
  while read -r _; do :; done
}

# What the root holds of a folder, in memory.
copied() {
  mkdir run/copied
  mount -t tmpfs -o mode=755 tmpfs run/copied
  cp -a "$1/." run/copied/
  mount --move run/copied "$1"
  rmdir run/copied
}

cgroups() {
  local folder kind
  if [ -e "/sys/fs/cgroup/cgroup.controllers" ]; then
    mount -t cgroup2 cgroup2 "$1"
    mkdir "$1/init"
    echo 0 > "$1/init/cgroup.procs"
    sed 's/\([a-z_]\+\)/+\1/g' "$1/cgroup.controllers" > "$1/cgroup.subtree_control" || true
    return
  fi
  mount -t tmpfs -o mode=755 tmpfs "$1"
  for folder in /sys/fs/cgroup/*/; do
    kind=$(basename "$folder")
    mkdir "$1/$kind"
    case $kind in
      unified) rmdir "$1/$kind" ;; # engines would take it for the whole of a hybrid host
      systemd) mount -t cgroup -o none,name=systemd cgroup "$1/$kind" ;;
      *) mount -t cgroup -o "$kind" cgroup "$1/$kind" ;;
    esac
  done
}

devices() {
  local node
  mount -t tmpfs -o mode=755 tmpfs "$1"
  for node in null zero full random urandom tty fuse kmsg; do
    if [ -e "/dev/$node" ]; then cp -a "/dev/$node" "$1/$node"; fi
  done
  mkdir "$1/pts" "$1/shm" "$1/mqueue" "$1/net"
  if [ -e /dev/net/tun ]; then cp -a /dev/net/tun "$1/net/tun"; fi
  mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5 devpts "$1/pts"
  mount -t tmpfs -o mode=1777 tmpfs "$1/shm"
  mount -t mqueue mqueue "$1/mqueue"
  ln -s pts/ptmx "$1/ptmx"
  ln -s /proc/self/fd "$1/fd"
  for node in stdin:0 stdout:1 stderr:2; do ln -s "/proc/self/fd/${node#*:}" "$1/${node%:*}"; done
}

if [ "$1" = --inner ]; then inner "$2"; else outer "$1" "$2"; fi
