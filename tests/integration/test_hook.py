# SPDX-License-Identifier: Apache-2.0
"""libvirt's hook as libvirt calls it: the real sriov-hook, the real agent of this machine without a scheduler in reach, and
a tree of sysfs for which VF belongs to which PF. What the hook decides with VFs in an agent's hands is in
tests/unit/agent/test_hook_server.c, on simulated hosts."""
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import unittest

from harness import BIN, eventually

PF, VF, NEW_VF, OTHER = "0000:3b:00.0", "0000:3b:10.0", "0000:3b:10.4", "0000:5e:00.0"
GUARDED = f"sriov-guarded 1\n{PF} {PF}\n{VF} {PF}\nend\n"


def hostdev(address):
    domain, bus, rest = address.split(":")
    slot, function = rest.split(".")
    return (f"<hostdev mode='subsystem' type='pci' managed='yes'><source><address domain='0x{domain}' bus='0x{bus}' "
            f"slot='0x{slot}' function='0x{function}'/></source></hostdev>")


def domain(*devices, more=""):
    return ("<domain type='kvm'><name>g1</name><uuid>0192f0a1-7c1e-7cc3-98c4-dc0c0c07398f</uuid><memory unit='KiB'>98304</memory>"
            f"<vcpu>1</vcpu><os><type>hvm</type></os>{more}<devices>{''.join(devices)}</devices></domain>")


class Hook(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="sriov-hook-")
        self.processes = []
        self.write("hook.conf", f"[hook]\nsocket = {self.path('run/hook.sock')}\nguarded = {self.path('state/guarded')}\n"
                                f"root = {self.path('root')}\ndeadline-ms = 1000\n")
        devices = self.path("root/sys/bus/pci/devices")
        os.makedirs(devices)
        for name in (PF, VF, NEW_VF, OTHER):
            os.makedirs(os.path.join(self.path("root/sys/devices/pci0000:3a"), name, "net"))
            os.symlink(f"../../../devices/pci0000:3a/{name}", os.path.join(devices, name))
        for name in (VF, NEW_VF):
            os.symlink(f"../{PF}", os.path.join(self.path("root/sys/devices/pci0000:3a"), name, "physfn"))
        os.makedirs(self.path("root/sys/class/net"))
        below = self.path(f"root/sys/devices/pci0000:3a/{NEW_VF}/net/ens1f0v4")
        os.makedirs(below)
        os.symlink(f"../../../{NEW_VF}", os.path.join(below, "device"))
        os.symlink(below, self.path("root/sys/class/net/ens1f0v4"))
        os.mkdir(self.path("state"), 0o700)

    def tearDown(self):
        for process in self.processes:
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.kill()
            process.wait(10)
        shutil.rmtree(self.folder)

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, text):
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write(text)

    def hook(self, operation, xml, suboperation="begin"):
        """(exit status, what it said); nothing is ever written to standard output: the XML stays as it is."""
        done = subprocess.run([os.path.join(BIN, "sriov-hook"), "--config", self.path("hook.conf"), "g1", operation, suboperation, "-"],
                              input=xml.encode(), capture_output=True, timeout=30, check=False)
        self.assertEqual(done.stdout, b"")
        said = done.stderr.decode()
        self.assertEqual(said.count("\n"), done.returncode, said)  # one line with a refusal, none else
        return done.returncode, said

    def refused(self, operation, xml, *words):
        status, said = self.hook(operation, xml)
        self.assertEqual(status, 1, said)
        for word in words:
            self.assertIn(word, said)

    def allowed(self, operation, xml, **more):
        self.assertEqual(self.hook(operation, xml, **more), (0, ""))

    def agent(self, *options):
        self.write("token", "nothing\n")
        with open(self.path("agent.log"), "ab") as log:
            process = subprocess.Popen(
                [os.path.join(BIN, "sriov-agent"), "run", "--server", "http://127.0.0.1:1", "--name", "h1", "--token-file", self.path("token"),
                 "--state-dir", self.path("state"), "--libvirt-uri", "none", "--no-probe", "--hook-socket", self.path("run/hook.sock"), *options],
                stderr=log)
        self.processes.append(process)

        def listens():
            with socket.socket(socket.AF_UNIX) as probe:
                return probe.connect_ex(self.path("run/hook.sock")) == 0
        eventually(listens, what="the agent's socket")
        return process

    def test_help_version_and_wrong_words(self):
        def run(*words):
            return subprocess.run([os.path.join(BIN, "sriov-hook"), *words], capture_output=True, text=True, timeout=10, check=False)
        self.assertIn("sriov-hook --install", run("--help").stdout)
        self.assertRegex(run("--version").stdout, r"^sriov-hook \d+\.\d+\.\d+\n$")
        self.assertEqual(run("one", "two").returncode, 1)

    def test_nothing_was_ever_guarded(self):
        self.allowed("prepare", domain(hostdev(VF)))

    def test_without_the_agent_closed_for_what_it_guards_and_open_for_all_others(self):
        self.write("state/guarded", GUARDED)
        for operation in ("prepare", "migrate"):
            self.refused(operation, domain(hostdev(VF)), VF, "systemctl start sriov-agent", "can't be asked")
            self.refused(operation, domain(hostdev(PF)), PF)
            # Its PF tells whose it is, though the list does not have it; and below a macvtap.
            self.refused(operation, domain(hostdev(OTHER), hostdev(NEW_VF)), NEW_VF)
            self.refused(operation, domain("<interface type='direct'><mac address='52:54:00:00:00:01'/>"
                                           "<source dev='ens1f0v4' mode='passthrough'/></interface>"), NEW_VF)
            self.allowed(operation, domain(hostdev(OTHER)))
            self.allowed(operation, domain())
        # A list with a VF that is not on the host now.
        self.write("state/guarded", GUARDED.replace("end", f"0000:77:10.0 {PF}\nend"))
        self.refused("prepare", domain(hostdev("0000:77:10.0")), "0000:77:10.0")
        # What ends is never held up, and what decides nothing is not even read.
        self.allowed("release", domain(hostdev(VF)), suboperation="end")
        for operation in ("started", "stopped", "reconnect", "restore", "attach"):
            self.allowed(operation, "not even XML, hostdev")
        self.allowed("start", domain(hostdev(VF)))
        self.refused("start", domain("<interface type='hostdev'><mac address='52:54:00:00:00:01'/><source><address type='pci' domain='0x0000' "
                                     "bus='0x3b' slot='0x10' function='0x0'/></source></interface>"), VF)

    def test_what_can_not_be_told_is_closed_only_where_something_is_guarded(self):
        broken, huge = "<domain><hostdev", domain(hostdev(VF), more="<metadata>" + "x" * (2 << 20) + "</metadata>")
        self.allowed("prepare", broken)
        self.allowed("prepare", huge)
        self.write("state/guarded", GUARDED)
        self.refused("prepare", broken, "can't be told")
        self.refused("prepare", huge, "longer than")
        self.write("state/guarded", GUARDED[:-4])
        self.refused("prepare", domain(hostdev(OTHER)), "damaged")
        self.allowed("prepare", domain())

    def test_settings_that_others_can_change_are_not_followed(self):
        self.agent()
        self.write("state/guarded", GUARDED)
        os.chmod(self.path("hook.conf"), 0o666)
        done = subprocess.run([os.path.join(BIN, "sriov-hook"), "--config", self.path("hook.conf"), "g1", "prepare", "begin", "-"],
                              input=domain().encode(), capture_output=True, timeout=30, check=False)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, b"", b""))

    def test_an_agent_that_has_not_heard_the_scheduler(self):
        self.write("state/guarded", GUARDED)
        self.agent()
        self.allowed("prepare", domain(hostdev(OTHER)))
        self.refused("prepare", domain(hostdev(VF)), VF, "has not heard the scheduler since the host booted")
        self.refused("migrate", domain(hostdev(VF)), "sriov-admin port decelerate")
        self.refused("prepare", domain(hostdev(OTHER)) + "<", "XML")
        self.allowed("release", domain(hostdev(VF)), suboperation="end")

    def test_an_agent_that_hangs_or_was_killed(self):
        self.write("state/guarded", GUARDED)
        agent = self.agent()
        agent.send_signal(signal.SIGSTOP)
        self.refused("prepare", domain(hostdev(VF)), VF, "did not answer in time")
        self.allowed("prepare", domain(hostdev(OTHER)))
        # An XML that does not fit into the socket's buffers.
        self.refused("prepare", domain(hostdev(VF), more="<metadata>" + "x" * 1000000 + "</metadata>"), "did not answer in time")
        agent.send_signal(signal.SIGCONT)
        agent.kill()
        agent.wait(10)
        self.refused("prepare", domain(hostdev(VF)), "ECONNREFUSED")
        # Its socket does not stop the next one, which knows what was guarded.
        self.agent()
        self.refused("prepare", domain(hostdev(VF)), "has not heard the scheduler")

    def test_an_agent_that_ends_takes_its_socket_along(self):
        agent = self.agent()
        agent.terminate()
        self.assertEqual(agent.wait(10), 0)
        self.assertFalse(os.path.exists(self.path("run/hook.sock")))

    def test_half_messages_and_silent_peers_hold_nobody_up(self):
        self.write("state/guarded", GUARDED)
        self.agent()
        idle = []
        for data in (b"", b"SVHK", b"SVHK\0\1\0\1\0\0\0\x40half", b"GET / HTTP/1.1\r\n\r\n"):
            for _ in range(8):
                peer = socket.socket(socket.AF_UNIX)
                peer.connect(self.path("run/hook.sock"))
                peer.sendall(data)
                idle.append(peer)
        self.allowed("prepare", domain(hostdev(OTHER)))
        idle[0].settimeout(10)
        self.assertEqual(idle[0].recv(1), b"")  # let go after a while
        for peer in idle:
            peer.close()
        self.allowed("prepare", domain(hostdev(OTHER)))

    def test_an_answer_that_is_none_counts_as_no_agent(self):
        self.write("state/guarded", GUARDED)
        os.mkdir(self.path("run"))
        for answer in (b"", b"SVHK\0\1", b"HTTP/1.1 200 OK\r\n", b"SVHK\0\1\0\1\0\0\0\0", b"SVHK\0\1\0\1\x7f\0\0\0",
                       b"SVHK\0\1\0\1\0\0\0\7\0\x10\0\0\0\1\2"):  # it can not tell
            with socket.socket(socket.AF_UNIX) as server:
                server.bind(self.path("run/hook.sock"))
                server.listen()
                for xml, status in ((domain(hostdev(VF)), 1), (domain(hostdev(OTHER)), 0)):
                    process = subprocess.Popen(
                        [os.path.join(BIN, "sriov-hook"), "--config", self.path("hook.conf"), "g1", "prepare", "begin", "-"],
                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
                    process.stdin.write(xml.encode())
                    process.stdin.close()
                    peer, _ = server.accept()
                    peer.sendall(answer)
                    peer.close()
                    self.assertEqual(process.wait(10), status, answer)
                    self.assertEqual(process.stdout.read(), b"")
                    process.stdout.close()
                    process.stderr.close()
            os.unlink(self.path("run/hook.sock"))

    def test_the_xml_that_never_ends_is_not_waited_for(self):
        self.write("state/guarded", GUARDED)
        process = subprocess.Popen([os.path.join(BIN, "sriov-hook"), "--config", self.path("hook.conf"), "g1", "prepare", "begin", "-"],
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        process.stdin.write(b"<domain>")
        process.stdin.flush()
        self.assertEqual(process.wait(30), 1)
        self.assertIn(b"did not come in time", process.stderr.read())
        for pipe in (process.stdin, process.stdout, process.stderr):
            pipe.close()

    def test_wrong_words_for_the_agent(self):
        done = subprocess.run([os.path.join(BIN, "sriov-agent"), "run", "--server", "http://127.0.0.1:1", "--name", "h1",
                               "--state-dir", self.path("state"), "--hook-unclaimed", "perhaps"], capture_output=True, text=True, timeout=10, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("perhaps", done.stderr)

    @unittest.skipUnless(os.geteuid() == 0, "needs root: libvirt runs only what nobody else can change")
    def test_it_installs_itself_once_and_replaces_nothing(self):
        program = self.path("sriov-hook")
        shutil.copy(os.path.join(BIN, "sriov-hook"), program)
        os.chmod(program, 0o755)
        folder = self.path("etc/hooks/qemu.d")

        def install():
            return subprocess.run([program, "--install", folder], capture_output=True, text=True, timeout=10, check=False)
        for _ in range(2):
            done = install()
            self.assertEqual(done.returncode, 0, done)
            self.assertIn("systemctl restart", done.stdout)
        link = os.path.join(folder, "sriov")
        self.assertEqual(os.readlink(link), program)
        done = subprocess.run([link, "g1", "stopped", "end", "-"], input="", capture_output=True, text=True, timeout=10, check=False)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))
        os.unlink(link)
        self.write("etc/hooks/qemu.d/sriov", "somebody's own\n")
        done = install()
        self.assertEqual(done.returncode, 1)
        self.assertIn("is there already", done.stderr)
        os.chmod(program, 0o777)
        os.unlink(link)
        self.assertIn("changed by others", install().stderr)


if __name__ == "__main__":
    unittest.main()
