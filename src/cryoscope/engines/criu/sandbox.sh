#!/bin/sh
# sandbox.sh start|keep|inner|last FOLDER MEMORY CRIU-OPTION...: criu restore as the first process of new namespaces.
#
# FOLDER/groups names control groups, a line each; FOLDER/mounts and FOLDER/inside/files are commands of this
# script; FOLDER/inside is what the sandbox sees as /.cryoscope until its processes run.
#
# `start` leaves a keeper behind and prints its number.  The keeper waits for the sandbox and takes its control
# groups away.  The inner half joins these, puts a layer in memory over every file system of the host, makes
# /proc, /sys and /dev anew, and becomes criu, which stays: it reaps orphans, and ends with the last of them.
# When it is killed, nothing of the sandbox is left.
set -eu

start() {
  sh "$0" keep "$@" < /dev/null > "$1/output" 2>&1 &
  echo $!
}

keep() {
  groups=$(cat "$1/groups")
  (
    for group in $groups; do sh -c 'echo $PPID > "$1"' join "$group/cgroup.procs" || true; done
    exec unshare --mount --pid --net --ipc --uts --cgroup --fork --kill-child --propagation private \
      sh "$0" inner "$@"
  ) || true
  for group in $groups; do
    for try in 1 2 3 4 5 6 7 8 9 10; do
      if rmdir "$group" 2> /dev/null; then break; fi
      sleep 0.1
    done
  done
}

inner() {
  folder=$1
  memory=$2
  shift 2
  base=$folder/sandbox
  new=$base/new
  count=0
  mount -t tmpfs -o "mode=700,nodev,size=$memory" tmpfs "$base"
  mkdir "$new" "$base/layers"
  . "$folder/mounts"
  kernels
  mkdir "$new/.cryoscope"
  mount --bind "$folder/inside" "$new/.cryoscope"
  cd "$new"
  # not every system has pivot_root; who has no CAP_SYS_CHROOT does not leave this root
  mount --move . /
  exec chroot . /bin/sh /.cryoscope/sandbox.sh last "$@"
}

last() {
  cd /
  . /.cryoscope/files
  at_the_end
  exec criu restore --images-dir /.cryoscope/images --work-dir /.cryoscope/work --log-file restore.log -v4 \
    --manage-cgroups=ignore --action-script /.cryoscope.sh "$@"
}

# An action script of criu: nothing of the archive is left to see when the processes begin to run.
at_the_end() {
  cat > /.cryoscope.sh << 'END'
#!/bin/sh
[ "$CRTOOLS_SCRIPT_ACTION" = pre-resume ] || exit 0
umount -l /.cryoscope && rmdir /.cryoscope && rm /.cryoscope.sh
END
  chmod 700 /.cryoscope.sh
}

# The sandbox's view of a mount of the host: a folder gets a layer, a file is copied.
layer() {
  if [ -f "$1" ]; then
    cp -p "$1" "$new$1" || left_out "$1"
    return
  fi
  count=$((count + 1))
  upper=$base/layers/$count/upper
  mkdir -p "$upper" "$base/layers/$count/work"
  chmod "$(stat -c %a "$1")" "$upper"
  chown "$(stat -c %u:%g "$1")" "$upper"
  mount -t overlay overlay -o "nodev,lowerdir=$1,upperdir=$upper,workdir=$base/layers/$count/work" "$new$1" ||
    left_out "$1"
}

# What nobody in the sandbox shall see.
hide() {
  if [ -d "$new$1" ]; then mount -t tmpfs -o ro,size=4k,mode=755 tmpfs "$new$1"; fi
}

left_out() {
  echo "$1" >> "$folder/inside/work/left-out"
}

# An address that a socket of the dump is bound to; nothing leaves the loopback interface.
address() {
  ip address add "$1" dev lo || left_out "address $1"
}

loopback() {
  ip link set lo up || ifconfig lo up || left_out "the loopback interface"
}

# A file that was open for writing, as it was then.  All links are followed in the sandbox.
put() {
  mkdir -p "$(dirname "$2")" && rm -f "$2" && cp "/.cryoscope/kept/$1" "$2" && chown "$4" "$2" && chmod "$3" "$2" ||
    echo "$2" >> /.cryoscope/work/left-out
}

kernels() {
  mount -t proc -o nosuid,nodev,noexec proc "$new/proc"
  for name in sys irq bus fs sysrq-trigger; do
    if [ -e "$new/proc/$name" ]; then
      mount --bind "$new/proc/$name" "$new/proc/$name"
      mount -o remount,bind,ro "$new/proc/$name"
    fi
  done
  for name in kcore keys kmsg timer_list; do
    if [ -e "$new/proc/$name" ]; then mount --bind /dev/null "$new/proc/$name"; fi
  done
  mount -t sysfs -o ro,nosuid,nodev,noexec sysfs "$new/sys" || mount -t tmpfs -o ro tmpfs "$new/sys"
  mount -t tmpfs -o mode=755,nosuid,noexec,size=64k tmpfs "$new/dev"
  for name in null zero full random urandom tty; do
    if [ -e "/dev/$name" ]; then cp -a "/dev/$name" "$new/dev/$name"; fi
  done
  mkdir "$new/dev/pts" "$new/dev/shm" "$new/dev/mqueue"
  mount -t devpts -o newinstance,nosuid,noexec,ptmxmode=0666,mode=620 devpts "$new/dev/pts"
  mount -t tmpfs -o mode=1777,nosuid,nodev tmpfs "$new/dev/shm"
  mount -t mqueue -o nosuid,nodev,noexec mqueue "$new/dev/mqueue"
  ln -s pts/ptmx "$new/dev/ptmx"
  ln -s /proc/self/fd "$new/dev/fd"
  for name in stdin:0 stdout:1 stderr:2; do ln -s "/proc/self/fd/${name#*:}" "$new/dev/${name%:*}"; done
}

"$@"
exit
