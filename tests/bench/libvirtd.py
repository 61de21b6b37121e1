# SPDX-License-Identifier: Apache-2.0
"""A libvirtd of the bench's own: in a mount namespace whose /etc, /run and /var are its own, so that it neither sees nor
touches the machine's. It ends with the bench, by its process id, and when the bench dies."""
import os
import shutil
import subprocess
import tempfile

from harness import eventually

SETTINGS = """\
unix_sock_dir = "{folder}"
auth_unix_ro = "none"
auth_unix_rw = "none"
log_level = 3
log_outputs = "3:stderr"
"""
# The user and group that the QEMU driver is built to look up before it reads any setting. libvirt-daemon-system makes them,
# under these numbers, but also starts a libvirtd of the machine's.
PASSWD = """\
root:x:0:0:root:/root:/bin/sh
libvirt-qemu:x:64055:64055:Libvirt Qemu:/var/lib/libvirt:/usr/sbin/nologin
"""
GROUP = """\
root:x:0:
libvirt-qemu:x:64055:
"""
# Each process here becomes the next: libvirtd has the id that was started.
START = """\
for each in /run /var/lib /var/cache /var/log; do
    mount -t tmpfs -o mode=755 none "$each"
done
mount --bind "$1/etc" /etc
exec setpriv --pdeathsig TERM libvirtd --config /etc/libvirt/libvirtd.conf --pid-file /run/libvirtd.pid
"""


class Libvirtd:
    """Answers at 'uri' until close(). Needs root and the packages of 'packaging/deps bench'."""

    def __init__(self):
        # A socket's path has room for 107 characters only.
        self.folder = tempfile.mkdtemp(prefix="sriov-bench-", dir="/var/tmp")
        self.process = None
        socket = os.path.join(self.folder, "libvirt-sock")
        self.uri = f"qemu+unix:///system?socket={socket}"
        try:
            self.write_etc()
            with open(os.path.join(self.folder, "log"), "wb") as log:
                self.process = subprocess.Popen(
                    ["unshare", "--mount", "--propagation", "private", "sh", "-eu", "-c", START, "sh", self.folder],
                    stdin=subprocess.DEVNULL, stdout=log, stderr=log)
            eventually(lambda: self.check() or os.path.exists(socket), 30, "libvirtd's socket")
        except BaseException:
            self.close()
            raise

    def write_etc(self):
        """All of /etc that it has."""
        etc = os.path.join(self.folder, "etc")
        os.makedirs(os.path.join(etc, "libvirt"))
        shutil.copy("/etc/ld.so.cache", etc)
        for name, text in (("passwd", PASSWD), ("group", GROUP), ("libvirt/libvirtd.conf", SETTINGS.format(folder=self.folder))):
            with open(os.path.join(etc, name), "w", encoding="ascii") as file:
                file.write(text)

    def check(self):
        """Raises if it has ended."""
        if self.process.poll() is None:
            return
        with open(os.path.join(self.folder, "log"), encoding="utf-8", errors="replace") as file:
            raise RuntimeError(f"libvirtd ended with {self.process.returncode} (it needs root and the packages of "
                               f"'packaging/deps bench'):\n{file.read()[-1000:]}")

    def close(self):
        if self.process:
            self.process.terminate()
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        shutil.rmtree(self.folder)
