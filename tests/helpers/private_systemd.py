"""A systemd of one's own: the real one, as process 1 of namespaces of its own.

It boots in about a second and sees a copy of this computer's files that forgets all
changes. It has its own processes, mounts, devices, network and control groups; what is
kernel-wide, /proc/sys and /sys, it can only read. Ending it ends all it started.
"""

import contextlib
import os
import shlex
import shutil
import signal
import subprocess
import sys
import sysconfig
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.helpers.paths import ROOT

REPOSITORY = ROOT
SYSTEMD = Path("/usr/lib/systemd/systemd")
PROGRAM = "/usr/local/bin/ser-stream"
"""Where the units of the package look for the program."""
USER, HOME = 1234, "/tmp/somebody"
"""Number and home of an ordinary user."""
_BOOT = r"""
set -eu
mount --make-rprivate /
mount -t tmpfs tmpfs "$1"
mkdir "$1/upper" "$1/work" "$1/root"
mount -t overlay overlay \
    -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" "$1/root"
cd "$1/root"

mount -t proc proc proc
mount --bind proc/sys proc/sys
mount -o remount,bind,ro proc/sys
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755 tmpfs dev
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=666 devpts dev/pts
mount -t tmpfs -o mode=1777 tmpfs dev/shm
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
for node in null zero full random urandom tty; do
    cp -a "/dev/$node" dev/
done
for folder in run tmp var/tmp; do
    mount -t tmpfs -o mode=1777 tmpfs "$folder"
done

# Nothing of what this computer starts: only the journal.
for folder in etc/systemd/system usr/lib/systemd/system-generators \
        usr/local/lib/systemd usr/lib/systemd/system/*.target.wants; do
    if [ -d "$folder" ]; then mount -t tmpfs -o mode=755 tmpfs "$folder"; fi
done
wants=usr/lib/systemd/system/sockets.target.wants
ln -s ../systemd-journald.socket ../systemd-journald-dev-log.socket "$wants"
mkdir -p etc/systemd/system
ln -s /dev/null etc/systemd/system/modprobe@.service
: > etc/fstab

# The program where every user can run it, wherever this checkout lies.
mkdir -p opt/ser-stream/prefix opt/ser-stream/packages opt/ser-stream/code
share() {
    mount --bind "$1" "$2"
    mount -o remount,bind,ro "$2"
}
share "$2" opt/ser-stream/prefix
share "$3" opt/ser-stream/packages
share "$4" opt/ser-stream/code
cat > usr/local/bin/ser-stream <<END
#!/bin/sh
export LD_LIBRARY_PATH=/opt/ser-stream/prefix/lib
exec /opt/ser-stream/prefix/bin/$5 -BP -c '
import sys
sys.argv[0] = "/usr/local/bin/ser-stream"
sys.path[:0] = ["/opt/ser-stream/code", "/opt/ser-stream/packages"]
from ser_stream.cli import main_and_exit
main_and_exit()' "\$@"
END
chmod 755 usr/local/bin/ser-stream
echo "somebody:x:1234:1234::/tmp/somebody:/bin/sh" >> etc/passwd
echo "somebody:x:1234:" >> etc/group

mkdir run/old
pivot_root . run/old
umount -l run/old
rmdir run/old
# Among themselves only: what systemd mounts for a service must be seen in there.
mount --make-rshared /
exec env -i container=test PATH=/usr/sbin:/usr/bin:/sbin:/bin \
    "$6" --system --unit=basic.target --log-target=null --show-status=no
"""


def require() -> None:
    """Skip the test, aloud, where a private systemd cannot run.

    With SER_STREAM_REQUIRE_SYSTEMD=1 it fails instead.
    """
    missing = _missing()
    if missing is None:
        return
    reason = f"a private systemd needs {missing}"
    if os.environ.get("SER_STREAM_REQUIRE_SYSTEMD") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


def _missing() -> str | None:
    if os.geteuid() != 0:
        return "root"
    if not SYSTEMD.exists():
        return "the package systemd"
    for program in ("unshare", "nsenter", "pivot_root", "systemctl", "journalctl"):
        if shutil.which(program) is None:
            return program
    if _cgroups() is None:
        return "a mounted cgroup2"
    probe = ["unshare", "--pid", "--fork", "--mount", "--cgroup", "--net", "true"]
    if subprocess.run(probe, capture_output=True, check=False).returncode:
        return "the right to make namespaces"
    return None


def _cgroups() -> Path | None:
    """Where the unified hierarchy of control groups is mounted."""
    for line in Path("/proc/mounts").read_text().splitlines():
        _, folder, kind, options, *_ = line.split()
        if kind == "cgroup2" and "rw" in options.split(","):
            return Path(folder)
    return None


@dataclass
class PrivateSystemd:
    """A running one; commands run inside of it."""

    pid: int
    """Of its process 1, as seen from outside."""

    def run(
        self, *command: str, check: bool = True, stdin: str | None = None
    ) -> "subprocess.CompletedProcess[str]":
        """Run a command to its end, as root, among what this systemd runs."""
        done = subprocess.run(
            ["nsenter", "-t", str(self.pid), "-a", *command],
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        if check and done.returncode:
            pytest.fail(f"{shlex.join(command)}: {done.stdout}{done.stderr}")
        return done

    def start_user(self) -> tuple[str, ...]:
        """Start the systemd of a user; what to put before commands of theirs."""
        folder = f"/run/user/{USER}"
        owned = ["install", "--directory", f"--owner={USER}", "--mode=700"]
        self.run(*owned, folder, HOME)
        environment = [f"XDG_RUNTIME_DIR={folder}", f"HOME={HOME}"]
        self.run(
            *("systemd-run", "--unit=user", "--property=Type=notify"),
            *("--property=User=somebody", "--property=Delegate=yes"),
            *(f"--setenv={each}" for each in environment),
            *(str(SYSTEMD), "--user"),
        )
        ids = (f"--reuid={USER}", f"--regid={USER}", "--clear-groups")
        return ("setpriv", *ids, "env", *environment)

    def systemctl(self, *arguments: str) -> str:
        """What `systemctl` says; fails with the journal if it does."""
        done = self.run("systemctl", "--no-pager", *arguments, check=False)
        if done.returncode:
            pytest.fail(f"systemctl {arguments}: {done.stderr}{self.journal()}")
        return done.stdout.strip()

    def show(self, unit: str, *properties: str) -> dict[str, str]:
        """Properties of a unit, by name."""
        names = [f"--property={name}" for name in properties]
        lines = self.systemctl("show", *names, unit).splitlines()
        return dict(line.split("=", 1) for line in lines)

    def journal(self) -> str:
        """All that was logged."""
        return self.run("journalctl", "--no-pager", "-o", "cat", "--lines=100").stdout

    def write(self, path: str, text: str, who: Sequence[str] = ()) -> None:
        """Make a file, and the folders that lead to it."""
        folder = os.path.dirname(path)  # noqa: PTH120  a path of another root
        self.run(*who, "mkdir", "-p", folder)
        self.run(*who, "tee", path, stdin=text)

    def wait(self, unit: str, name: str, expected: str) -> None:
        """Wait until a property of a unit has the expected value."""
        self.wait_until(lambda: self.show(unit, name)[name] == expected)

    def wait_until(self, condition: Callable[[], bool]) -> None:
        """Wait until it holds; fails with the journal if it never does."""
        deadline = time.monotonic() + 120
        while not condition():
            if time.monotonic() > deadline:
                pytest.fail(self.journal())
            time.sleep(0.05)


@contextlib.contextmanager
def private_systemd(folder: Path) -> Iterator[PrivateSystemd]:
    """Boot one; `folder` is an empty one that it needs while it runs."""
    require()
    mounted = _cgroups()
    assert mounted is not None
    group = mounted / f"ser-stream-test-{uuid.uuid4().hex[:8]}"
    group.mkdir()
    python = Path(os.path.realpath(sys.executable))
    prefix = Path(sys.base_prefix)
    command = [
        *("unshare", "--fork", "--kill-child", "--pid", "--mount", "--cgroup"),
        *("--ipc", "--uts", "--net", "sh", "-c", _BOOT, "boot", str(folder)),
        *(str(prefix), sysconfig.get_path("purelib"), str(REPOSITORY)),
        *(python.name, str(SYSTEMD)),
    ]
    # It must be in its control group before the namespace of those is made.
    join = f'echo 0 > {shlex.quote(str(group / "cgroup.procs"))}; exec "$@"'
    boot = subprocess.Popen(
        ["sh", "-c", join, "join", *command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        private = PrivateSystemd(_booted(boot))
        yield private
        # With its process 1 ends all that it started.
        os.kill(private.pid, signal.SIGKILL)
        boot.wait(120)
    finally:
        (group / "cgroup.kill").write_text("1")
        boot.communicate(timeout=120)
        _remove(group)


def _booted(boot: "subprocess.Popen[str]") -> int:
    deadline = time.monotonic() + 120
    children = Path(f"/proc/{boot.pid}/task/{boot.pid}/children")
    while time.monotonic() < deadline and boot.poll() is None:
        pids = children.read_text().split()
        if pids:
            private = PrivateSystemd(int(pids[0]))
            state = private.run("systemctl", "is-system-running", check=False).stdout
            if state.strip() in ("running", "degraded"):
                return private.pid
        time.sleep(0.05)
    boot.kill()
    pytest.fail(f"the private systemd does not boot: {boot.communicate()[0]}")


def _remove(group: Path) -> None:
    deadline = time.monotonic() + 120
    for path, _, _ in os.walk(group, topdown=False):
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError):
                os.rmdir(path)  # noqa: PTH106
                break
            time.sleep(0.02)
