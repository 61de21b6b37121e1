# SPDX-License-Identifier: Apache-2.0
"""What the figures are measured on: the real scheduler with hosts that reported once, the raw parts beside it, and the
load generator that drives both."""
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import uuid

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
BUILD = os.environ.get("SRIOV_BUILD", os.path.join(ROOT, "build", "release"))
os.environ.setdefault("SRIOV_BIN", os.path.join(BUILD, "bin"))
sys.path.insert(0, os.path.join(ROOT, "tests", "integration"))
from harness import Scheduler, eventually, pf  # noqa: E402 pylint: disable=wrong-import-position

# On the disk that the build is on: /tmp may be memory.
WORK = os.path.join(BUILD, "bench", "work")
os.makedirs(WORK, exist_ok=True)
tempfile.tempdir = WORK
QUIET = ("--unreachable-after-s", "86400", "--log-level", "error")


def program(name):
    return os.path.join(BUILD, "bench", name)


def cpu_ns(pid):
    """User and system time of all threads that a process has."""
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        try:
            with open(f"/proc/{pid}/task/{task}/schedstat", encoding="ascii") as file:
                total += int(file.read().split()[0])
        except FileNotFoundError:
            pass  # it ended meanwhile
    return total


def private_dirty(pid):
    """Bytes that only this process has, and that no file holds."""
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
        for line in file:
            if line.startswith("Private_Dirty:"):
                return int(line.split()[1]) * 1024
    raise RuntimeError(f"no Private_Dirty of process {pid}")


def write_lines(lines):
    descriptor, path = tempfile.mkstemp(prefix="requests-")
    with open(descriptor, "w", encoding="utf-8") as file:
        for line in lines:
            file.write(line + "\n")
    return path


def load_command(address, path, connections, *options):
    return [program("bench-client"), "--requests", path, "--connections", str(connections), *options, address]


def load(address, lines, connections=64, *options):
    """Sends the requests; what the client says of it."""
    path = lines if isinstance(lines, str) else write_lines(lines)
    try:
        done = subprocess.run(load_command(address, path, connections, *options), check=True, stdout=subprocess.PIPE)
        return json.loads(done.stdout)
    finally:
        if path is not lines:
            os.unlink(path)


def answers(address, lines, connections=64):
    """Sends the requests; (status, body) of each, in order. All must be 2xx."""
    descriptor, path = tempfile.mkstemp(prefix="answers-")
    os.close(descriptor)
    lines = list(lines)
    try:
        load(address, lines, connections, "--answers", path)
        found = [None] * len(lines)
        with open(path, encoding="utf-8") as file:
            for line in file:
                index, status, body = line.rstrip("\n").split(" ", 2)
                if not 200 <= int(status) < 300:
                    raise RuntimeError(f"{lines[int(index)][:200]}: {status} {body[:300]}")
                found[int(index)] = json.loads(body) if body else None
        return found
    finally:
        os.unlink(path)


class Stage:
    """A scheduler with 'hosts' hosts of 'pfs' PFs with 'vfs' VFs each, all free and allowed."""

    def __init__(self, hosts, pfs=2, vfs=64, network="physnet0"):
        self.hosts, self.pfs, self.vfs = hosts, pfs, vfs
        self.tokens, self.named, self.sequence = [], 0, 1
        self.scheduler = Scheduler(*QUIET).start()
        self.empty_dirty = private_dirty(self.pid)
        self.admin = self.scheduler.token
        self.keys = [f"0000:{0x3b + i:02x}:00.0" for i in range(pfs)]
        self.network = network
        if hosts:
            self.enroll()

    @property
    def pid(self):
        return self.scheduler.process.pid

    @property
    def address(self):
        return self.scheduler.address

    def host_name(self, index):
        return f"host-{index:05d}"

    def enroll(self):
        made = answers(self.address, (f'POST /v1/hosts {self.admin} {{"name":"{self.host_name(i)}"}}' for i in range(self.hosts)))
        self.tokens = [each["token"] for each in made]
        self.machines = [str(uuid.uuid4()) for _ in range(self.hosts)]
        for first in range(0, self.hosts, 1000):
            last = min(first + 1000, self.hosts)
            answers(self.address, (self.report(i, 1) for i in range(first, last)), 8)
        change = json.dumps({"allowed": True, "physical_network": self.network})
        # Few at a time: each answer shows the whole PF.
        answers(self.address, (f"PATCH /v1/hosts/{self.host_name(i)}/pfs/{key} {self.admin} {change}"
                               for i in range(self.hosts) for key in self.keys), 8)

    def report(self, index, sequence):
        """The request line of a host's full report."""
        if not hasattr(self, "template"):
            document = {
                "cluster_id": None, "host": "@HOST@", "machine_id": "@MACHINE@", "boot_id": "@MACHINE@",
                "agent_version": "0.1.0", "incarnation": 1, "sequence": "@SEQUENCE@", "base": 0, "full": True, "accepted": "0.0",
                "inventory": {"machine_id": "@MACHINE@", "kernel": "6.12.0", "vcpus": 4096, "memory_mib": 1 << 30,
                              "external_vcpus": 0, "external_memory_mib": 0, "unreadable": [],
                              "pfs": [pf(key, self.vfs, speed=25000) for key in self.keys],
                              "networks": [{"physical_network": "", "switch": "linux_bridge", "device": "br0", "uplink": "ens3",
                                            "mtu": 1500}]},
                "gone_pfs": [], "ports": []}
            self.template = json.dumps(document, separators=(",", ":")).replace('"@SEQUENCE@"', "@SEQUENCE@")
        body = self.template.replace("@HOST@", self.host_name(index)).replace("@MACHINE@", self.machines[index])
        return f"PUT /v1/agents/{self.host_name(index)}/observed {self.tokens[index]} " + body.replace("@SEQUENCE@", str(sequence))

    def next_sequence(self):
        self.sequence += 1
        return self.sequence

    def big_report(self, sequence):
        """The last host's report of nearly 8 MiB, the most that a report may have: PFs that nobody allowed."""
        index = self.hosts - 1
        method, path, token, body = self.report(index, sequence).split(" ", 3)
        document = json.loads(body)
        room, more = 8 * 2**20 - len(body) - 4096, pf("0000:80:00.0", 1024, speed=25000)
        for i, vf in enumerate(more["vfs"]):
            vf["address"] = f"0000:{0x81 + i // 256:02x}:{i // 8 % 32:02x}.{i % 8}"
        size = len(json.dumps(more, separators=(",", ":"))) + 1
        for number in range(room // size):
            key = f"0000:{0x80 + number:02x}:00.0"
            document["inventory"]["pfs"].append({**more, "key": key, "address": key})
        return f"{method} {path} {token} " + json.dumps(document, separators=(",", ":"))

    def claims(self, count, network=None, vlans=1000):
        """Request lines of VMs with one VF port each, under names of their own, on so many VLANs."""
        first, self.named = self.named, self.named + count
        return [f"POST /v1/vms {self.admin} " + json.dumps({
            "name": f"vm-{i:07d}", "vcpus": 2, "memory_mib": 4096,
            "ports": [{"physical_network": network or self.network, "policy": {"vlan": 100 + i % vlans, "spoofchk": "on"}}]},
            separators=(",", ":")) for i in range(first, first + count)]

    def fill_events(self):
        """Let the scheduler hold as many events as it keeps: from then on each new one is the end of the oldest."""
        host, kept, held = self.host_name(0), 10000, 0  # EVENTS_KEPT of common/model/vm.h
        while (now := self.count_events()) > held and now < kept:
            held = now
            answers(self.address, (f"PATCH /v1/hosts/{host} {self.admin} " + json.dumps({"cordoned": i % 2 == 0})
                                   for i in range((kept - now + 1) // 2 * 2)), 1)
        if now < kept:
            raise RuntimeError(f"{now} events are held, and no more come")

    def count_events(self):
        with sqlite3.connect(f"file:{self.scheduler.data}/store.db?mode=ro", uri=True) as store:
            count, = store.execute("SELECT count(*) FROM entry WHERE kind = 'event'").fetchone()
        store.close()
        return count

    def store_rows(self):
        """The bytes of a VM's and of an event's row."""
        with sqlite3.connect(f"file:{self.scheduler.data}/store.db?mode=ro", uri=True) as store:
            vm, = store.execute("SELECT value FROM entry WHERE kind = 'vm' ORDER BY key DESC LIMIT 1").fetchone()
            event, = store.execute("SELECT value FROM entry WHERE kind = 'event' ORDER BY key DESC LIMIT 1").fetchone()
        store.close()
        return vm, event

    def close(self):
        self.scheduler.stop()
        self.scheduler.close()


class Parts:
    """The raw parts, with rows and answers of the given sizes."""

    def __init__(self, vm, event, answer_bytes, batch=64):
        self.folder = tempfile.mkdtemp(prefix="parts-")
        command = [program("bench-parts"), "--folder", self.folder, "--answer-bytes", str(answer_bytes), "--batch", str(batch)]
        for name, value in (("vm", vm), ("event", event)):
            path = os.path.join(self.folder, name)
            with open(path, "wb") as file:
                file.write(value)
            command += ["--" + name, path]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        if not line.startswith("listening on http://"):
            raise RuntimeError("bench-parts did not start")
        self.address = line.split("//")[1].strip()

    @property
    def pid(self):
        return self.process.pid

    def close(self):
        self.process.terminate()
        status = self.process.wait(30)
        self.process.stdout.close()
        shutil.rmtree(self.folder)
        if status:
            raise RuntimeError(f"bench-parts ended with {status}")
