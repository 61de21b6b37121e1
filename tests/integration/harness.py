# SPDX-License-Identifier: Apache-2.0
"""A real sriov-scheduler on a free loopback port with a folder of its own, calls to it (each answer is held against
openapi.yaml), and hand-made agents."""
import http.client
import json
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import unittest
import uuid

from contract import ROOT, Contract

BIN = os.environ.get("SRIOV_BIN", os.path.join(ROOT, "build", "dev", "bin"))
CONTRACT = Contract()
FIELDS = ("mac", "vlan", "vlan_qos", "vlan_proto", "min_tx_rate_mbps", "max_tx_rate_mbps", "spoofchk", "trust", "link_state")
TRAITS = ("dual_delivery", "statistics", "flr")
CLEAN = {"mac": "00:00:00:00:00:00", "vlan": 0, "vlan_qos": 0, "vlan_proto": "802.1q", "min_tx_rate_mbps": 0,
         "max_tx_rate_mbps": 0, "spoofchk": "on", "trust": "off", "link_state": "auto"}


class Answer:
    def __init__(self, status, headers, raw):
        self.status, self.headers, self.raw = status, headers, raw
        self.media_type = headers.get("Content-Type", "")
        self.body = json.loads(raw) if self.media_type.split(";")[0].endswith("json") and raw else None


class Scheduler:
    """start() … stop() or kill(); the folder stays until close()."""

    def __init__(self, *options, data=None, env=None):
        self.folder = tempfile.mkdtemp(prefix="sriov-it-")
        self.data = data or os.path.join(self.folder, "data")
        self.options, self.env = options, env or {}
        self.process, self.address, self.token = None, None, None
        self.local, self.connections = threading.local(), []

    def command(self):
        return [os.path.join(BIN, "sriov-scheduler"), "--listen", "127.0.0.1:0", "--data", self.data, *self.options]

    def start(self, env=None, wait=True, **popen):
        """Starts it; returns self. With wait=False it may well die before it is ready."""
        self.log = open(os.path.join(self.folder, "log"), "ab")
        self.process = subprocess.Popen(self.command(), stdout=subprocess.PIPE, stderr=self.log,
                                        env={**os.environ, **self.env, **(env or {})}, **popen)
        line = self.process.stdout.readline().decode()
        if not line and not wait:
            self.process.wait(30)
            self.process.stdout.close()
            self.log.close()
            return self
        assert line.startswith("listening on http://"), f"not ready: {line!r}\n{self.log_text()}"
        self.address = line.split("//")[1].strip()
        self.local = threading.local()
        with open(os.path.join(self.data, "admin.token"), encoding="ascii") as file:
            self.token = file.read().strip()
        return self

    def log_text(self):
        with open(os.path.join(self.folder, "log"), encoding="utf-8", errors="replace") as file:
            return file.read()

    def disconnect(self):
        """The next calls are on new connections."""
        while self.connections:
            self.connections.pop().close()
        self.local = threading.local()

    def end(self, number, expect):
        self.process.send_signal(number)
        status = self.process.wait(30)
        self.disconnect()
        self.process.stdout.close()
        self.log.close()
        assert status == expect, f"exit status {status}, expected {expect}\n{self.log_text()[-4000:]}"

    def stop(self):
        self.end(signal.SIGTERM, 0)

    def kill(self):
        self.end(signal.SIGKILL, -signal.SIGKILL)

    def close(self):
        if self.process and self.process.poll() is None:
            self.kill()
        self.disconnect()
        if self.process and not self.process.stdout.closed:
            self.process.stdout.close()
            self.log.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def raw(self, method, path, body=None, headers=None, timeout=40):
        """One call on this thread's own connection. 'body' bytes or None. Raises OSError or HTTPException."""
        connection = getattr(self.local, "connection", None)
        if connection is None:
            connection = http.client.HTTPConnection(self.address, timeout=timeout)
            self.local.connection = connection
            self.connections.append(connection)
        try:
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read())
        except (OSError, http.client.HTTPException):
            connection.close()
            self.local.connection = None
            raise

    def call(self, method, path, body=None, token=None, headers=None, check=True):
        """JSON in, Answer out, held against the contract."""
        all_headers = {"Authorization": "Bearer " + (token or self.token), **(headers or {})}
        if body is not None:
            all_headers.setdefault("Content-Type", "application/json")
            body = body if isinstance(body, bytes) else json.dumps(body).encode()
        answer = self.raw(method, path, body, all_headers)
        if check:
            CONTRACT.check_answer(method, path, answer.status, answer.media_type, answer.body)
            assert answer.headers["X-Request-Id"], "no X-Request-Id"
        return answer

    def get(self, path, **more):
        answer = self.call("GET", path, **more)
        assert answer.status == 200, f"GET {path}: {answer.status} {answer.body}"
        return answer.body

    def items(self, path, limit=1000):
        """All items of a list, through its pages."""
        found, marker = [], None
        while True:
            page = self.get(f"{path}{'&' if '?' in path else '?'}limit={limit}" + (f"&marker={marker}" if marker else ""))
            found += page["items"]
            marker = page["next_marker"]
            if marker is None:
                return found

    def enroll(self, name):
        answer = self.call("POST", "/v1/hosts", {"name": name})
        assert answer.status in (200, 201), answer.body
        return answer.body["token"]


def pf(key, vfs=8, vendor="8086", speed=10000, support="supported", **more):
    """A PF as an agent reports it: 'vfs' free VFs, all policy fields 'support'ed."""
    domain_bus = key.rsplit(":", 1)[0]
    made = {
        "key": key, "address": key, "netdev": "ens" + key[5:7] + "f" + key[-1], "mac": "3c:fd:fe:00:00:01", "vendor_id": vendor,
        "device_id": "10c9", "vendor_name": "Intel Corporation", "device_name": "82576", "driver": "igb", "firmware": "1.2",
        "kind": "network", "pci_class": "020000", "vf_device_id": "10ca", "vf_drivers_autoprobe": "on", "bridge_mode": "veb",
        "vf_total_msix": None, "used_by": "", "bond_mode": "", "bond_speed_mbps": None, "bond_active": False, "numa_node": 0, "iommu_group": 11, "link": {"up": True, "speed_mbps": speed}, "mtu": 1500, "bond": "",
        "total_vfs": vfs, "num_vfs": vfs, "eswitch_mode": None, "management": False, "management_reason": "",
        "capabilities": {f: {"support": support, "source": "probed", "needs": [], "max": None, "note": ""} for f in (*FIELDS, *TRAITS)},
        "observed_at": "2026-11-20T10:00:00.000Z",
        "vfs": [{"index": i, "address": f"{domain_bus}:{0x10 + i // 8:02x}.{i % 8}", "state": "free", "driver": "vfio-pci",
                 "netdev": "", "iommu_group": 100 + i, "port_id": None, "reason": "", "policy": dict(CLEAN),
                 "observed_at": "2026-11-20T10:00:00.000Z"} for i in range(vfs)],
    }
    made.update(more)
    return made


class Agent:
    """What an agent does on the wire, without a host below it: it applies each desired port at once."""

    def __init__(self, scheduler, name, pfs=None, token=None, machine=None):
        self.scheduler, self.name = scheduler, name
        self.token = token or scheduler.enroll(name)
        self.machine = machine or str(uuid.uuid4())
        self.boot = str(uuid.uuid4())
        self.pfs = pfs if pfs is not None else [pf("0000:3b:00.0")]
        self.incarnation, self.sequence, self.ports, self.revision = 1, 0, {}, "0.0"
        self.cluster, self.extra_ports, self.checks, self.configured = None, [], [], {}
        self.vms, self.external_state = {}, "shut_off"  # what libvirt says of domains that are not managed

    def document(self, **more):
        self.sequence += 1
        document = {
            "cluster_id": self.cluster, "host": self.name, "machine_id": self.machine, "boot_id": self.boot,
            "agent_version": "0.1.0", "incarnation": self.incarnation, "sequence": self.sequence, "base": 0, "full": True,
            "accepted": self.revision,
            "inventory": {
                "machine_id": self.machine, "kernel": "6.1.0-test", "libvirt_version": "9.0.0", "qemu_version": "7.2.0",
                "checks": self.checks, "vcpus": 1024, "memory_mib": 4194304, "external_vcpus": 0,
                "external_memory_mib": 0, "unreadable": [], "pfs": self.pfs,
                "networks": [{"physical_network": "", "switch": "linux_bridge", "device": "br0", "uplink": "ens3", "mtu": 1500, "vlans": True}]},
            "gone_pfs": [], "pfs": list(self.configured.values()), "ports": [*self.ports.values(), *self.extra_ports],
            "vms": list(self.vms.values()),
        }
        document.update(more)
        return document

    def put(self, document, host=None, check=True):
        return self.scheduler.call("PUT", f"/v1/agents/{host or self.name}/observed", document, token=self.token, check=check)

    def report(self, **more):
        answer = self.put(self.document(**more))
        assert answer.status == 200, answer.body
        return answer.body

    def poll(self, after=None):
        """The desired document, or None after 25 s without news."""
        answer = self.scheduler.call("GET", f"/v1/agents/{self.name}/desired?after={after or self.revision}", token=self.token)
        assert answer.status in (200, 204), answer.body
        return answer.body

    def find_vf(self, claim):
        for each in self.pfs:
            if each["key"] == claim["pf"]:
                return each["vfs"][claim["vf_index"]]
        raise KeyError(claim["pf"])

    def apply(self, desired):
        """Takes a document over: domains run as they should, present ports are applied, absent ones clean, VFs given up."""
        self.cluster, self.revision = desired["cluster_id"], desired["revision"]
        for vm in desired["vms"]:
            self.run(vm)
        for port in desired["ports"]:
            absent, claim, given_up = port["want"] == "absent", port["claim"], port["path"] == "virtio"
            readback = dict(CLEAN) if absent else {**CLEAN, **port["policy"]}
            now = "2026-11-20T11:00:00.000Z"
            self.ports[port["id"]] = {
                "id": port["id"], "vm": port["vm"], "phase": "absent" if absent else "applied", "revision": port["revision"],
                "claim": None if given_up else claim, "readback": readback, "observed_at": now, "way": self.way(port, now),
                "condition": {"type": "PolicyApplied", "status": "True", "reason": "Applied", "field": "", "message": "", "at": now}}
            if claim and claim["vf_index"] is not None:
                vf = self.find_vf(claim)
                clean = absent or given_up
                vf["state"], vf["policy"] = ("free" if clean else "claimed"), dict(CLEAN) if clean else readback
                vf["port_id"] = None if clean else port["id"]
        for wanted in desired["pfs"]:
            self.configure(wanted)

    def run(self, vm, **more):
        """Has a VM's domain as it is wanted, or tells of it what 'more' says."""
        absent = vm["want"] == "absent"
        state = self.external_state if vm["lifecycle"] == "external" else "running" if vm["power_on"] else "shut_off"
        running = not absent and state == "running"
        self.vms[vm["id"]] = {
            "id": vm["id"], "domain": vm["id"], "phase": "absent" if absent else "applied", "power_state": "absent" if absent else state,
            "revision": vm["revision"],
            "condition": {"type": "Running", "status": "True" if running else "False", "reason": "Running" if running else "NotRunning",
                          "field": "", "message": "", "at": "2026-11-20T11:00:00.000Z"}, **more}

    def way(self, port, now):
        """The way of a port's frames: as it is wanted, while its VM runs."""
        if self.vms.get(port["vm"], {}).get("power_state") != "running" or port["want"] == "absent":
            return None
        on_vf = port["path"] == "vf"
        leg = port["vnic_type"] == "normal" or not on_vf or (port["fallback"] == "virtio" and port["guest_failover"] != "none")
        return {"vf_plugged": on_vf, "virtio_plugged": leg, "vf_in_use": on_vf, "evidence": "vf_interrupts" if on_vf else "none",
                "in_use_at": now if on_vf else None, "held": not on_vf, "tap": "vnet0" if leg else "",
                "virtio": dict(port["policy"]) if leg else {},
                "condition": {"type": "PathReady", "status": "True", "reason": "VfInUse" if on_vf else "OnVirtio", "field": "",
                              "message": "", "at": now}}

    def configure(self, wanted, phase="applied", reason="Applied", message="the kernel reads what was asked for"):
        """Brings a PF to what is wanted; with another phase only tells that it is so far."""
        here = next(each for each in self.pfs if each["key"] == wanted["key"])
        if phase == "applied":
            if wanted["num_vfs"] is not None and wanted["num_vfs"] != here["num_vfs"]:
                here["num_vfs"], here["vfs"] = wanted["num_vfs"], pf(here["key"], wanted["num_vfs"])["vfs"]
            for member in ("vf_drivers_autoprobe", "bridge_mode"):
                here[member] = wanted[member] or here[member]
        status = {"applied": "True", "rejected": "False", "failed": "False"}.get(phase, "Unknown")
        self.configured[wanted["key"]] = {
            "key": wanted["key"], "phase": phase, "revision": wanted["revision"],
            "condition": {"type": "PfConfigured", "status": status, "reason": reason, "field": "", "message": message,
                          "at": "2026-11-20T11:00:00.000Z"}}

    def sync(self):
        """Report, take the whole document over, report what became of it."""
        self.report()
        self.apply(self.poll("0.0"))
        self.report()
        for objects in (self.ports, self.vms):
            for key in [k for k, each in objects.items() if each["phase"] == "absent"]:
                del objects[key]

    def allow(self, network="physnet0"):
        """An operator lets the PFs be used."""
        for each in self.pfs:
            answer = self.scheduler.call("PATCH", f"/v1/hosts/{self.name}/pfs/{each['key']}",
                                         {"allowed": True, "physical_network": network})
            assert answer.status == 200, answer.body


class Fixture(unittest.TestCase):
    """A scheduler for each test class; tests use names of their own."""
    options = ()

    @classmethod
    def setUpClass(cls):
        cls.s = Scheduler(*cls.options).start()

    @classmethod
    def tearDownClass(cls):
        try:
            cls.s.stop()
        finally:
            cls.s.close()

    def ready_host(self, name, **more):
        agent = Agent(self.s, name, **more)
        agent.sync()
        agent.allow()
        return agent

    def create(self, name, ports=None, status=201, path="/v1/vms", headers=None, **more):
        body = {"name": name, "vcpus": 1, "memory_mib": 512, "ports": ports if ports is not None else [{}], **more}
        answer = self.s.call("POST", path, body, headers=headers)
        self.assertEqual(answer.status, status, answer.body)
        return answer

    def unplaced(self, name, host, ports=None, **more):
        """What 'host' says against a VM that is to go there."""
        body = self.create(name, ports, placement={"host": host}, status=409, **more).body
        self.assertEqual(body["code"], "no_valid_host", body)
        return next(r for r in body["reasons"] if r["example"]["host"] == host)

    def admin(self, *words):
        """sriov-admin with the administrator's token."""
        return subprocess.run([os.path.join(BIN, "sriov-admin"), *words, "--server", "http://" + self.s.address, "--token-file",
                               os.path.join(self.s.data, "admin.token")], capture_output=True, text=True, timeout=120, check=False)

    def condition(self, vm, kind="PolicyApplied"):
        found = [c for c in self.s.get(f"/v1/vms/{vm}")["conditions"] if c["type"] == kind]
        self.assertEqual(len(found), 1)
        return found[0]


def eventually(check, seconds=10, what="it"):
    """Waits until check() gives something true."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        result = check()
        if result:
            return result
        time.sleep(0.05)
    raise AssertionError(f"{what} did not happen within {seconds} s")
