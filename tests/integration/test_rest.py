# SPDX-License-Identifier: Apache-2.0
"""The main job over REST, with a real scheduler and hand-made agents."""
import http.client
import json
import re
import shutil
import subprocess
import threading
import time
import unittest
import xml.etree.ElementTree

from harness import BIN, ROOT, Agent, Fixture, eventually, pf


class Main(Fixture):
    def test_the_life_of_a_vm(self):
        agent = self.ready_host("life1")
        port = {"name": "eth0", "mac": "52:54:00:00:10:01", "physical_network": "physnet0",
                "policy": {"vlan": 100, "vlan_qos": 3, "max_tx_rate_mbps": 1000, "trust": "on"}}
        answer = self.create("life", [port], vcpus=2, placement={"host": "life1"})
        vm = answer.body
        self.assertEqual(answer.headers["Location"], f"/v1/vms/{vm['id']}")
        self.assertEqual(answer.headers["ETag"], '"1"')
        self.assertEqual((vm["host"], vm["state"], vm["generation"]), ("life1", "claimed", 1))
        made = vm["ports"][0]
        self.assertEqual((made["path"], made["mac"], made["claim"]["pf"]), ("vf", port["mac"], "0000:3b:00.0"))
        self.assertEqual(made["policy"], {**port["policy"], "mac": port["mac"]})
        self.assertEqual(self.condition("life")["reason"], "WaitingForAgent")
        self.assertEqual(self.condition("life")["status"], "Unknown")

        desired = agent.poll("0.0")
        self.assertEqual([(p["want"], p["policy"]["vlan"]) for p in desired["ports"]], [("present", 100)])
        agent.apply(desired)
        agent.report()
        self.assertEqual(self.condition("life")["status"], "True")
        observed = self.s.get("/v1/vms/life")["ports"][0]["observed"]
        self.assertEqual((observed["phase"], observed["policy"]["vlan"]), ("applied", 100))

        answer = self.s.call("DELETE", f"/v1/vms/{vm['id']}")
        self.assertEqual((answer.status, answer.body["state"]), (202, "deleting"))
        self.assertEqual(self.s.call("DELETE", "/v1/vms/life").status, 202)
        desired = agent.poll("0.0")
        self.assertEqual([p["want"] for p in desired["ports"]], ["absent"])
        self.assertEqual(self.s.get(f"/v1/vms/{vm['id']}")["state"], "deleting")
        agent.apply(desired)
        agent.report()
        self.assertEqual(self.s.call("GET", f"/v1/vms/{vm['id']}").status, 404)
        types = [e["type"] for e in self.s.get("/v1/events?limit=1000")["items"] if e["vm"] == vm["id"]]
        self.assertEqual([t for t in types if t.startswith("Vm")], ["VmClaimed", "VmDeleting", "VmDeleted"])
        actors = {e["type"]: e["actor"] for e in self.s.get("/v1/events?limit=1000")["items"] if e["vm"] == vm["id"]}
        self.assertEqual((actors["VmClaimed"], actors["PortApplied"]), ("admin", "agent life1"))

    def test_vfs_show_claims_before_the_agent_knows(self):
        self.ready_host("overlay1", pfs=[pf("0000:41:00.0", 4)])
        vm = self.create("overlay", placement={"host": "overlay1"}).body
        index = vm["ports"][0]["claim"]["vf_index"]
        vfs = {v["index"]: v for v in self.s.items("/v1/vfs?host=overlay1")}
        self.assertEqual((vfs[index]["state"], vfs[index]["reported_state"]), ("claimed", "free"))
        self.assertEqual((vfs[index]["vm_name"], vfs[index]["vm_id"]), ("overlay", vm["id"]))
        self.assertEqual(len(self.s.items("/v1/vfs?host=overlay1&state=free")), 3)
        shown = self.s.get("/v1/hosts/overlay1/pfs/0000:41:00.0")
        self.assertEqual((shown["vf_counts"]["claimed"], shown["vf_counts"]["free"], shown["free_vf_count"]), (1, 3, 3))
        host = self.s.get("/v1/hosts/overlay1")
        self.assertEqual((host["free_vf_count"], host["vm_count"], host["capacity"]["used_vcpus"]), (3, 1, 1))

    def test_a_failed_policy_is_told_with_field_and_errno(self):
        agent = self.ready_host("failed1")
        self.create("failed", [{"policy": {"vlan": 7}}], placement={"host": "failed1"})
        agent.apply(agent.poll("0.0"))
        for port in agent.ports.values():
            port["phase"] = "failed"
            port["condition"].update(status="False", reason="FieldRefused", field="vlan", message="EOPNOTSUPP when set")
        agent.report()
        condition = self.condition("failed")
        self.assertEqual((condition["status"], condition["reason"], condition["field"]), ("False", "FieldRefused", "vlan"))
        self.assertIn("EOPNOTSUPP", condition["message"])
        self.assertIn(b'sriov_policy_apply_failures_total{field="vlan"} 1\n', self.s.raw("GET", "/metrics").raw)

    def test_a_dry_run_keeps_nothing(self):
        self.ready_host("dry1")
        answer = self.create("dry", path="/v1/vms?dry_run=true", status=200, placement={"host": "dry1"})
        self.assertEqual((answer.body["host"], answer.body["ports"][0]["path"]), ("dry1", "vf"))
        self.assertIsNone(answer.headers["Location"])
        self.assertEqual(self.s.call("GET", "/v1/vms/dry").status, 404)
        self.assertEqual(len(self.s.items("/v1/vfs?host=dry1&state=claimed")), 0)

    def test_an_idempotency_key_makes_one_vm(self):
        self.ready_host("idem1")
        key = {"Idempotency-Key": "order-66"}
        first = self.create("idem", headers=key, placement={"host": "idem1"}).body
        again = self.create("idem", headers=key, placement={"host": "idem1"}).body
        self.assertEqual(first["id"], again["id"])
        other = self.create("idem-other", headers=key, status=409, placement={"host": "idem1"}).body
        self.assertEqual(other["code"], "idempotency_conflict")
        self.assertEqual(self.create("idem", status=409).body["code"], "duplicate_name")

    def test_no_valid_host_says_why_per_field(self):
        unsupported = pf("0000:51:00.0")
        unsupported["capabilities"]["min_tx_rate_mbps"] = {"support": "unsupported", "source": "probed", "max": None,
                                                           "note": "EOPNOTSUPP when set"}
        self.ready_host("why1", pfs=[unsupported])
        body = self.create("why", [{"policy": {"min_tx_rate_mbps": 100}}], status=409, placement={"host": "why1"}).body
        self.assertEqual(body["code"], "no_valid_host")
        reasons = [r for r in body["reasons"] if r["field"] == "min_tx_rate_mbps"]
        self.assertEqual(len(reasons), 1, body["reasons"])
        self.assertEqual((reasons[0]["hosts"], reasons[0]["example"]["host"]), (1, "why1"))

    def test_pages_cover_everything_once(self):
        for i in range(5):
            self.ready_host(f"page{i}", pfs=[pf("0000:3b:00.0", 3), pf("0000:3b:00.1", 2)])
        made = {self.create(f"page-vm{i}", []).body["id"] for i in range(7)}
        here = {self.create(f"page-here{i}", [], placement={"host": "page4"}).body["id"] for i in range(4)}
        for path, key in (("/v1/hosts", lambda h: h["name"]), ("/v1/pfs", lambda p: (p["host"], p["key"])),
                          ("/v1/vfs", lambda v: (v["host"], v["pf"], v["index"])), ("/v1/vms", lambda v: v["id"]),
                          ("/v1/vms?host=page4", lambda v: v["id"]), ("/v1/vfs?state=free", lambda v: (v["host"], v["pf"], v["index"])),
                          ("/v1/vfs?host=page2", lambda v: (v["host"], v["pf"], v["index"])),
                          ("/v1/pfs?host=page3", lambda p: (p["host"], p["key"]))):
            whole = [key(item) for item in self.s.items(path)]
            self.assertEqual(len(whole), len(set(whole)))
            for limit in (1, 2, 3):
                self.assertEqual([key(item) for item in self.s.items(path, limit)], whole, (path, limit))
        self.assertLessEqual(made | here, {v["id"] for v in self.s.items("/v1/vms")})
        self.assertLessEqual(here, {v["id"] for v in self.s.items("/v1/vms?host=page4")})
        self.assertEqual({v["host"] for v in self.s.items("/v1/vms?host=page4")}, {"page4"})

    def test_a_changed_object_is_protected_by_its_etag(self):
        self.ready_host("etag1")
        etag = self.s.call("GET", "/v1/hosts/etag1").headers["ETag"]
        answer = self.s.call("PATCH", "/v1/hosts/etag1", {"cordoned": True}, headers={"If-Match": etag})
        self.assertEqual((answer.status, answer.body["state"]), (200, "cordoned"))
        self.assertNotEqual(answer.headers["ETag"], etag)
        stale = self.s.call("PATCH", "/v1/hosts/etag1", {"cordoned": False}, headers={"If-Match": etag})
        self.assertEqual((stale.status, stale.body["code"]), (409, "concurrent_update"))
        stale = self.s.call("PATCH", "/v1/hosts/etag1", {"cordoned": False, "generation": 1})
        self.assertEqual((stale.status, stale.body["code"]), (409, "concurrent_update"))
        self.assertEqual(self.s.call("DELETE", "/v1/hosts/etag1", headers={"If-Match": etag}).status, 409)
        self.assertEqual(self.create("etag", status=409, placement={"host": "etag1"}).body["reasons"][0]["reason"][:4], "host")

    def test_a_host_is_changed_and_forgotten(self):
        agent = self.ready_host("change1")
        change = {"labels": {"rack": "r7"}, "vcpu_ratio_percent": 400, "networks": [{"device": "br0", "physical_network": "physnet0"}]}
        host = self.s.call("PATCH", "/v1/hosts/change1", change).body
        self.assertEqual((host["labels"], host["capacity"]["vcpu_ratio_percent"]), ({"rack": "r7"}, 400))
        self.assertEqual(host["networks"][0]["physical_network"], "physnet0")
        self.assertEqual(self.s.get(f"/v1/hosts/{agent.machine}")["name"], "change1")
        self.create("change", placement={"host": "change1"})
        self.assertEqual(self.s.call("DELETE", "/v1/hosts/change1").body["code"], "in_use")
        self.s.call("DELETE", "/v1/vms/change")
        agent.sync()
        self.assertEqual(self.s.call("DELETE", "/v1/hosts/change1").status, 204)
        self.assertEqual(self.s.call("GET", "/v1/hosts/change1").status, 404)
        self.assertEqual(agent.put(agent.document()).status, 401)

    def test_libvirt_xml_attaches_vf_and_virtio(self):
        agent = self.ready_host("xml1")
        self.s.call("PATCH", "/v1/hosts/xml1", {"networks": [{"device": "br0", "physical_network": "physnet0"}]})
        ports = [{"name": "fast", "physical_network": "physnet0", "fallback": "virtio", "guest_failover": "net_failover"},
                 {"name": "slow", "physical_network": "physnet0", "vnic_type": "normal", "mac": "52:54:00:00:20:02",
                  "policy": {"max_tx_rate_mbps": 100}}]
        vm = self.create("xml", ports, placement={"host": "xml1"}).body
        tree = xml.etree.ElementTree.fromstring(f"<devices>{vm['libvirt_xml']}</devices>")
        address = tree.find("hostdev/source/address").attrib
        claim = vm["ports"][0]["claim"]["vf"]
        self.assertEqual(claim, "%04x:%02x:%02x.%x" % tuple(int(address[k], 16) for k in ("domain", "bus", "slot", "function")))
        self.assertEqual(tree.find("hostdev").attrib["managed"], "yes")
        persistent = tree.find("hostdev/teaming").attrib["persistent"]
        interfaces = {i.find("mac").attrib["address"]: i for i in tree.findall("interface")}
        self.assertEqual(interfaces[vm["ports"][0]["mac"]].find("alias").attrib["name"], persistent)
        fast, slow = ("ua-" + port["id"] for port in vm["ports"])
        self.assertEqual({a.attrib["name"] for a in tree.iter("alias")}, {fast, fast + "-vf", slow})
        slow = interfaces["52:54:00:00:20:02"]
        self.assertEqual((slow.attrib["type"], slow.find("source").attrib["bridge"]), ("bridge", "br0"))
        self.assertEqual(slow.find("bandwidth/outbound").attrib["average"], "12500")
        del agent

    def test_libvirt_xml_of_open_vswitch_carries_the_vlan(self):
        agent = self.ready_host("ovs1", pfs=[])
        switch = {"physical_network": "", "switch": "openvswitch", "device": "br'<&\"", "uplink": "", "mtu": 1500, "vlans": True}
        document = agent.document()
        document["inventory"]["networks"] = [switch]
        self.assertEqual(agent.put(document).status, 200)
        self.s.call("PATCH", "/v1/hosts/ovs1", {"networks": [{"device": switch["device"], "physical_network": "ovsnet"}]})
        port = {"physical_network": "ovsnet", "fallback": "virtio", "policy": {"vlan": 77, "link_state": "disable", "spoofchk": "off"}}
        vm = self.create("ovs", [port], placement={"host": "ovs1"}).body
        self.assertEqual((vm["ports"][0]["path"], vm["ports"][0]["degraded"], vm["ports"][0]["claim"]), ("virtio", True, None))
        self.assertTrue(vm["ports"][0]["degraded_reason"])
        interface = xml.etree.ElementTree.fromstring(vm["libvirt_xml"])
        self.assertEqual(interface.find("source").attrib["bridge"], switch["device"])
        self.assertEqual(interface.find("virtualport").attrib["type"], "openvswitch")
        self.assertEqual(interface.find("vlan/tag").attrib["id"], "77")
        self.assertEqual(interface.find("link").attrib["state"], "down")
        self.assertIsNone(interface.find("filterref"))

    def test_a_vf_without_a_pci_device_has_no_xml(self):
        nsim = {**pf("0000:00:00.0", 2), "key": "netdevsim3", "address": None, "bus": "netdevsim", "driver": "netdevsim"}
        for vf in nsim["vfs"]:
            vf["address"] = None
        self.ready_host("nsim1", pfs=[nsim])
        vm = self.create("nsim", placement={"host": "nsim1"}).body
        self.assertEqual((vm["ports"][0]["path"], vm["ports"][0]["claim"]["vf"], vm["libvirt_xml"]), ("vf", None, None))
        self.assertEqual({v["name"] for v in self.s.items("/v1/vfs?host=nsim1")}, {"netdevsim3-vf0", "netdevsim3-vf1"})

    def test_ports_unknown_to_the_scheduler_are_shown_and_left_alone(self):
        agent = self.ready_host("unknown1")
        port = {"id": "01999999-0000-7000-8000-000000000001", "vm": "01999999-0000-7000-8000-000000000002",
                "phase": "unknown_to_scheduler", "revision": "1.1", "readback": {"vlan": 9},
                "claim": {"pf": "0000:3b:00.0", "vf_index": 2, "vf": "0000:3b:10.2", "vendor_id": "8086", "device_id": None,
                          "numa_node": 0, "min_tx_rate_mbps": 0}}
        agent.extra_ports = [port]
        agent.pfs[0]["vfs"][2]["state"] = "claimed"
        agent.report()
        shown = self.s.get("/v1/hosts/unknown1")["unknown_to_scheduler"]
        self.assertEqual([(p["id"], p["claim"]["vf_index"]) for p in shown], [(port["id"], 2)])
        self.assertEqual([p for p in agent.poll("0.0")["ports"] if p["id"] == port["id"]], [])


class Waiting(Fixture):
    def test_a_long_poll_wakes_with_the_change(self):
        agent = self.ready_host("poll1")
        revision, got = self.s.get("/v1/hosts/poll1")["revision"], []
        thread = threading.Thread(target=lambda: got.append((agent.poll(revision), time.monotonic())))
        thread.start()
        eventually(lambda: self.metric("sriov_parked_requests") >= 1)
        began = time.monotonic()
        self.create("poll", placement={"host": "poll1"})
        thread.join(10)
        document, at = got[0]
        self.assertLess(at - began, 2)
        self.assertEqual((document["full"], len(document["ports"])), (False, 1))

    def metric(self, name):
        text = self.s.raw("GET", "/metrics").raw.decode()
        return sum(float(line.split()[-1]) for line in text.splitlines() if line.startswith(name + " ") or line.startswith(name + "{"))

    def test_a_document_of_another_epoch_is_answered_whole_at_once(self):
        agent = self.ready_host("poll2")
        self.create("poll-epoch", placement={"host": "poll2"})
        began = time.monotonic()
        self.assertTrue(agent.poll("99.5")["full"])
        self.assertTrue(agent.poll("0.0")["full"])
        self.assertLess(time.monotonic() - began, 2)

    def test_a_poll_without_news_ends_with_204(self):
        agent = self.ready_host("poll3")
        began = time.monotonic()
        self.assertIsNone(agent.poll(self.s.get("/v1/hosts/poll3")["revision"]))
        self.assertTrue(20 < time.monotonic() - began < 35)

    def test_events_are_streamed_and_resumed(self):
        self.s.enroll("stream1")
        events = self.s.get("/v1/events?limit=1000")["items"]
        connection = http.client.HTTPConnection(self.s.address, timeout=10)
        connection.request("GET", "/v1/events", headers={"Authorization": "Bearer " + self.s.token, "Accept": "text/event-stream",
                                                         "Last-Event-ID": str(events[-2]["sequence"])})
        response = connection.getresponse()
        self.assertEqual((response.status, response.headers["Content-Type"].split(";")[0]), (200, "text/event-stream"))
        self.assertEqual(self.next_event(response), events[-1])
        self.s.enroll("stream2")
        event = self.next_event(response)
        self.assertEqual((event["type"], event["host"]), ("HostEnrolled", "stream2"))
        connection.close()

    @staticmethod
    def next_event(response):
        fields = {}
        while True:
            line = response.readline().decode().rstrip("\n")
            if line:
                name, _, value = line.partition(": ")
                fields[name] = value
            elif "data" in fields:
                event = json.loads(fields["data"])
                assert (int(fields["id"]), fields["event"]) == (event["sequence"], event["type"])
                return event
            else:
                fields = {}

    def test_a_stop_answers_whoever_waits(self):
        agent = self.ready_host("stop1")
        revision, got = self.s.get("/v1/hosts/stop1")["revision"], []
        thread = threading.Thread(target=lambda: got.append(self.s.raw(
            "GET", f"/v1/agents/stop1/desired?after={revision}", headers={"Authorization": "Bearer " + agent.token})))
        thread.start()
        eventually(lambda: self.metric("sriov_parked_requests") >= 1)
        began = time.monotonic()
        self.s.stop()
        thread.join(10)
        self.s.start()
        self.assertLess(time.monotonic() - began, 5)
        self.assertIn(got[0].status, (204, 503))


class Silence(Fixture):
    options = ("--unreachable-after-s", "2", "--grace-s", "0")

    def test_a_silent_host_becomes_unreachable_and_comes_back(self):
        agent = self.ready_host("silent1")
        self.create("silent", placement={"host": "silent1"})
        agent.sync()
        self.assertEqual(self.condition("silent")["status"], "True")
        eventually(lambda: self.s.get("/v1/hosts/silent1")["state"] == "unreachable", 8)
        self.assertEqual(self.condition("silent")["reason"], "HostUnreachable")
        refused = self.create("silent-2", status=409, placement={"host": "silent1"}).body
        self.assertEqual(refused["code"], "no_valid_host")
        agent.report()
        self.assertEqual(self.s.get("/v1/hosts/silent1")["state"], "ready")


class Crowded(Fixture):
    options = ("--queue", "1")

    def test_a_full_queue_refuses_with_a_word_and_loses_nothing(self):
        decided, refused, wrong = [], [], []
        until = time.monotonic() + 15

        def client(number):
            for i in range(1000):
                if refused and len(decided) > 50 or time.monotonic() > until:
                    return
                answer = self.s.call("POST", "/v1/vms", {"name": f"crowd-{number}-{i}", "vcpus": 1, "memory_mib": 1}, check=False)
                if answer.status == 503 and answer.body["code"] == "busy" and answer.body["remedy"] and answer.headers["Retry-After"]:
                    refused.append(answer)
                else:
                    (decided if answer.status == 409 else wrong).append(answer)
        threads = [threading.Thread(target=client, args=(i,)) for i in range(32)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        self.assertEqual([a.body for a in wrong], [])
        self.assertTrue(refused, "the queue was never full")
        self.assertEqual(self.s.raw("GET", "/readyz").status, 200)


class Roles(Fixture):
    def test_each_route_asks_for_its_role(self):
        agent = self.ready_host("role1")
        made = {r: self.s.call("POST", "/v1/tokens", {"name": "t-" + r, "role": r}).body["token"] for r in ("viewer", "operator", "admin")}
        tokens = {"none": None, "agent": agent.token, **made}
        order = ["none", "viewer", "operator", "admin"]
        from contract import Contract
        for path, item in Contract().document["paths"].items():
            real = path.replace("{host}", "role1").replace("{pf}", "0000:3b:00.0").replace("{vm}", "absent").replace("{token}", "absent")
            for method, operation in item.items():
                if method == "parameters":
                    continue
                needed = operation["x-role"]
                for role, token in tokens.items():
                    if real.endswith("/desired") and role == "agent":
                        continue
                    headers = {"Authorization": "Bearer " + token} if token else {}
                    body = b"{}" if "requestBody" in operation else None
                    if body:
                        headers["Content-Type"] = "application/json"
                    status = self.s.raw(method.upper(), real, body, headers).status
                    if needed == "none":
                        may = True
                    elif needed == "agent" or role == "agent":
                        may = needed == role
                    else:
                        may = order.index(role) >= order.index(needed)
                    with self.subTest(path=path, method=method, role=role):
                        if may:
                            self.assertNotIn(status, (401, 403))
                        else:
                            self.assertEqual(status, 401 if role == "none" else 403)
                if (method, path) == ("delete", "/v1/hosts/{host}"):
                    agent = self.ready_host("role1", machine=agent.machine)
                    tokens["agent"] = agent.token

    def test_a_deleted_token_is_refused_at_once(self):
        token = self.s.call("POST", "/v1/tokens", {"name": "gone", "role": "viewer"}).body["token"]
        self.assertEqual(self.s.call("GET", "/v1/vms", token=token).status, 200)
        self.assertEqual(self.s.call("DELETE", "/v1/tokens/gone").status, 204)
        answer = self.s.call("GET", "/v1/vms", token=token)
        self.assertEqual((answer.status, answer.body["code"]), (401, "unauthenticated"))
        self.assertIn("WWW-Authenticate", answer.headers)

    def test_lists_tell_no_secret(self):
        token = self.s.call("POST", "/v1/tokens", {"name": "secret", "role": "viewer"}).body["token"]
        agent = self.ready_host("secret1")
        for path in ("/v1/tokens", "/v1/hosts", "/v1/events?limit=1000", "/metrics"):
            text = self.s.raw("GET", path, headers={"Authorization": "Bearer " + self.s.token}).raw.decode()
            for secret in (token, agent.token, self.s.token):
                self.assertNotIn(secret, text, path)
            self.assertNotIn("hash", text, path)
        for secret in (token, agent.token, self.s.token):
            self.assertNotIn(secret, self.s.log_text())


class Meta(Fixture):
    def test_health_version_and_contract(self):
        self.assertEqual(self.s.raw("GET", "/healthz").raw, b"ok\n")
        self.assertEqual(self.s.raw("GET", "/readyz").raw, b"ready\n")
        version = self.s.get("/version")
        printed = subprocess.run([f"{BIN}/sriov-scheduler", "--version"], capture_output=True, text=True, check=True).stdout
        self.assertEqual(printed.split()[1], version["version"])
        with open(f"{ROOT}/openapi.yaml", "rb") as file:
            self.assertEqual(self.s.raw("GET", "/openapi.yaml").raw, file.read())

    def test_metrics_name_the_hosts_and_their_vfs(self):
        self.ready_host("metric1", pfs=[pf("0000:61:00.0", 4)])
        self.create("metric", [{"policy": {"min_tx_rate_mbps": 100}}], placement={"host": "metric1"})
        self.create("metric-none", status=409, placement={"host": "metric1"}, vcpus=4000)
        lines = self.s.raw("GET", "/metrics").raw.decode().splitlines()
        self.assertIn('sriov_vfs{host="metric1",pf="0000:61:00.0",state="free"} 3', lines)
        self.assertIn('sriov_vfs{host="metric1",pf="0000:61:00.0",state="claimed"} 1', lines)
        self.assertIn('sriov_pf_tx_reserved_bytes_per_second{host="metric1",pf="0000:61:00.0"} 12500000', lines)
        for start in ("sriov_placement_duration_seconds_count ", "sriov_placement_failures_total{reason=", "sriov_build_info{version=",
                      'sriov_agent_last_seen_timestamp_seconds{host="metric1"} ', "sriov_commit_duration_seconds_count "):
            self.assertTrue([line for line in lines if line.startswith(start)], start)

    def test_metrics_are_those_of_the_list(self):
        """Names, types and labels as in docs/metrics.md; the format as Prometheus' own tool wants it."""
        listed = {}
        with open(f"{ROOT}/docs/metrics.md", encoding="utf-8") as file:
            for name, kind, labels in re.findall(r"^\| `(\w+)` \| (\w+) \| ([\w ]*)\|", file.read(), re.M):
                listed[name] = (kind, set(labels.split()))
        self.ready_host("metric2")
        text = self.s.raw("GET", "/metrics").raw
        kinds = dict(re.findall(r"^# TYPE (\w+) (\w+)$", text.decode(), re.M))
        self.assertGreater(len(kinds), 15)
        for name, kind in kinds.items():
            self.assertEqual(kind, listed[name][0], name)
        for sample, labels in re.findall(r"^(\w+)(?:\{(.*)\})? [^ ]+$", text.decode(), re.M):
            family = sample if sample in listed else re.sub("_(bucket|sum|count)$", "", sample)
            self.assertEqual(set(re.findall(r'(\w+)="', labels)) - {"le"}, listed[family][1], sample)
        promtool = shutil.which("promtool")
        if promtool:
            checked = subprocess.run([promtool, "check", "metrics"], input=text, capture_output=True, check=False)
            self.assertEqual((checked.returncode, checked.stdout + checked.stderr), (0, b""))

    def test_help_and_wrong_options(self):
        run = subprocess.run([f"{BIN}/sriov-scheduler", "--help"], capture_output=True, text=True, check=True)
        for word in ("--listen", "--data", "--config", "--insecure-listen", "example:"):
            self.assertIn(word, run.stdout)
        for wrong in (["--nonsense"], ["--listen"], ["word"], ["--listen", "nowhere"], ["--log-level", "loud"], ["--config", "/nonexistent"]):
            run = subprocess.run([f"{BIN}/sriov-scheduler", "--data", self.s.folder + "/other", *wrong], capture_output=True,
                                 text=True, timeout=20)
            self.assertEqual(run.returncode, 1, wrong)
            self.assertTrue(run.stderr.strip(), wrong)

    def test_plain_http_off_loopback_needs_a_word(self):
        run = subprocess.run([f"{BIN}/sriov-scheduler", "--data", self.s.folder + "/other", "--listen", "0.0.0.0:0"],
                             capture_output=True, text=True, timeout=20)
        self.assertEqual(run.returncode, 1)
        self.assertIn("insecure-listen", run.stderr)


class Config(unittest.TestCase):
    def test_the_file_is_read_and_the_command_line_wins(self):
        from harness import Scheduler
        scheduler = Scheduler()
        try:
            path = scheduler.folder + "/scheduler.conf"
            with open(path, "w", encoding="ascii") as file:
                file.write("[scheduler]\nlisten = 0.0.0.0:1\ndata = /nonexistent/folder\n[http]\nthreads = 2\n")
            scheduler.options = ("--config", path)
            scheduler.start()
            self.assertTrue(scheduler.address.startswith("127.0.0.1:"))
            scheduler.stop()
        finally:
            scheduler.close()


if __name__ == "__main__":
    unittest.main()
