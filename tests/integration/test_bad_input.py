# SPDX-License-Identifier: Apache-2.0
"""The issue's list of bad input: each gets a problem document that names the field and the remedy, nothing crashes."""
import json
import socket
import unittest

from harness import Agent, Fixture, pf

JSON = {"Content-Type": "application/json"}


class Bad(Fixture):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.agent = Agent(cls.s, "bad1", pfs=[pf("0000:3b:00.0", 8), pf("0000:3b:00.1", 8, management=True, management_reason="default route")])
        cls.agent.sync()
        cls.s.call("PATCH", "/v1/hosts/bad1/pfs/0000:3b:00.0", {"allowed": True, "physical_network": "physnet0"})

    def tearDown(self):
        self.assertEqual(self.s.raw("GET", "/healthz").status, 200)

    def refused(self, answer, status, code, field=None, remedy=True):
        """The problem document that was expected; 'field' None = not looked at."""
        self.assertEqual((answer.status, (answer.body or {}).get("code")), (status, code), answer.raw[:400])
        self.assertEqual(answer.media_type.split(";")[0], "application/problem+json")
        self.assertEqual(answer.body["status"], status)
        self.assertEqual(answer.body["request_id"], answer.headers["X-Request-Id"])
        self.assertTrue(answer.body["detail"])
        if field is not None:
            self.assertEqual(answer.body.get("field"), field, answer.body)
        if remedy:
            self.assertTrue(answer.body.get("remedy"), answer.body)
        return answer.body

    def vm(self, **changes):
        body = {"name": "bad-vm", "vcpus": 1, "memory_mib": 64, "ports": [{"name": "eth0"}], **changes}
        return self.s.call("POST", "/v1/vms?dry_run=true", body)

    def port(self, **members):
        return self.vm(ports=[members])

    def body(self, raw, path="/v1/vms", method="POST", content_type="application/json"):
        headers = {"Authorization": "Bearer " + self.s.token}
        if content_type:
            headers["Content-Type"] = content_type
        return self.s.raw(method, path, raw, headers)

    # ---- the body as such ----

    def test_malformed_json(self):
        whole = json.dumps({"name": "x", "vcpus": 1, "memory_mib": 64, "ports": [{"policy": {"vlan": 5}}]}).encode()
        for cut in range(len(whole)):
            answer = self.body(whole[:cut])
            self.assertEqual((answer.status, answer.body["code"]), (400, "malformed_json"), whole[:cut])
        for text in (b"{", b"}", b"nope", b'{"a":}', b"{'a': 1}", b'{"a": 1,}', b'{"name": "x"} {"name": "y"}', b'{"a": 01}', b'{"a": NaN}',
                     b'{"a": 1e999}', b'{"name": "x\x00y"}', b'{"name": "\\ud800"}', b"\xef\xbb\xbf{}", b'{"a": "\\x"}',
                     b'{"name": "x\\u0000y"}'):
            self.refused(self.body(text), 400, "malformed_json")

    def test_the_body_is_an_object(self):
        for text in (b"[]", b"null", b"1", b'"text"', b"true"):
            answer = self.body(text)
            self.assertEqual(answer.status, 400, text)
            self.assertIn(answer.body["code"], ("malformed_json", "invalid"))
            self.assertTrue(answer.body["remedy"])

    def test_deep_json(self):
        for depth in (33, 1000, 10000):
            self.refused(self.body(b'{"a":' * depth + b"1" + b"}" * depth), 400, "malformed_json")
            self.refused(self.body(b'{"a":' + b"[" * depth + b"]" * depth + b"}"), 400, "malformed_json")

    def test_duplicate_keys(self):
        self.refused(self.body(b'{"name": "a", "name": "b", "vcpus": 1, "memory_mib": 1}'), 400, "malformed_json")
        self.refused(self.body(b'{"name": "a", "vcpus": 1, "memory_mib": 1, "ports": [{"policy": {"vlan": 1, "vlan": 2}}]}'), 400, "malformed_json")

    def test_invalid_utf8(self):
        for bad in (b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf8\x88\x80\x80\x80", b"\xe2\x82"):
            self.refused(self.body(b'{"name": "' + bad + b'", "vcpus": 1, "memory_mib": 1}'), 400, "malformed_json")

    def test_huge_bodies(self):
        for size in ((128 << 10) + 1, 1 << 20):
            answer = self.body(b'{"name": "' + b"x" * size + b'"}')
            self.refused(answer, 413, "too_large")
        answer = self.s.raw("PUT", "/v1/agents/bad1/observed", b" " * ((8 << 20) + 1), {**JSON, "Authorization": "Bearer " + self.agent.token})
        self.refused(answer, 413, "too_large")

    def test_a_huge_body_is_not_read(self):
        """A client that announces 10 GB gets its 413 without sending them."""
        with socket.create_connection(self.s.address.split(":"), timeout=10) as sock:
            sock.sendall((f"POST /v1/vms HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {self.s.token}\r\nContent-Type: application/json\r\n"
                          "Content-Length: 10000000000\r\nExpect: 100-continue\r\n\r\n").encode())
            self.assertTrue(sock.recv(4096).startswith(b"HTTP/1.1 413"))

    def test_wrong_content_types(self):
        good = b'{"name": "type", "vcpus": 1, "memory_mib": 1}'
        for content_type in (None, "text/plain", "application/x-www-form-urlencoded", "application/jsonx", "multipart/form-data", "application/xml"):
            self.refused(self.body(good, content_type=content_type), 415, "unsupported_media_type")
        self.assertEqual(self.body(good, path="/v1/vms?dry_run=true", content_type="application/json; charset=utf-8").status, 200)

    # ---- paths and methods ----

    def test_wrong_methods_tell_the_right_ones(self):
        for method, path, allowed in (("DELETE", "/v1/hosts", {"GET", "HEAD", "POST"}), ("PUT", "/v1/vms/x", {"GET", "HEAD", "PATCH", "DELETE"}),
                                      ("POST", "/v1/pfs", {"GET", "HEAD"}), ("PATCH", "/v1/vms", {"GET", "HEAD", "POST"}),
                                      ("GET", "/v1/agents/bad1/observed", {"PUT"}), ("TRACE", "/v1/vms", {"GET", "HEAD", "POST"}),
                                      ("BREW", "/healthz", {"GET", "HEAD"})):
            answer = self.s.raw(method, path, headers={"Authorization": "Bearer " + self.s.token})
            self.refused(answer, 405, "method_not_allowed")
            self.assertEqual({word.strip() for word in answer.headers["Allow"].split(",")}, allowed, (method, path))

    def test_unknown_routes(self):
        for path in ("/", "/v1", "/v2/hosts", "/v1/hosts/bad1/extra", "/v1/agents/bad1", "/v1/hosts/bad1/pfs", "/V1/hosts", "/v1/hosts//pfs/0000:3b:00.0"):
            self.refused(self.s.call("GET", path, check=False), 404, "not_found")

    def test_unknown_query_parameters(self):
        for path, name in (("/v1/hosts?foo=1", "foo"), ("/v1/vms?dryrun=true", "dryrun"), ("/v1/events?Limit=1", "Limit"),
                           ("/v1/hosts/bad1?limit=1", "limit"), ("/v1/vfs?vf=1", "vf")):
            self.refused(self.s.call("GET", path), 400, "unknown_parameter", name)
        self.refused(self.s.call("POST", "/v1/vms?dry-run=true", {"name": "x", "vcpus": 1, "memory_mib": 1}), 400, "unknown_parameter", "dry-run")

    def test_bad_query_values(self):
        for path, name in (("/v1/hosts?limit=0", "limit"), ("/v1/hosts?limit=1001", "limit"), ("/v1/hosts?limit=-1", "limit"),
                           ("/v1/hosts?limit=ten", "limit"), ("/v1/hosts?limit=", "limit"), ("/v1/hosts?limit=99999999999999999999", "limit"),
                           ("/v1/vms?marker=nonsense", "marker"), ("/v1/vfs?marker=a/b/c", "marker"), ("/v1/pfs?marker=a", "marker"),
                           ("/v1/vfs?state=broken", "state"), ("/v1/vfs?pf=../../etc", "pf"), ("/v1/events?after=x", "after"),
                           ("/v1/events?after=-1", "after")):
            self.refused(self.s.call("GET", path), 400, "invalid", name)
        self.refused(self.s.call("POST", "/v1/vms?dry_run=yes", {"name": "x", "vcpus": 1, "memory_mib": 1}), 400, "invalid", "dry_run")
        for after in ("1", "a.b", "1.2.3", "-1.0", "1.99999999999999999999"):
            self.refused(self.s.call("GET", f"/v1/agents/bad1/desired?after={after}", token=self.agent.token), 400, "invalid", "after")
        self.assertEqual(self.s.call("GET", "/v1/hosts?limit=5&limit=6").status, 400)

    def test_path_tricks(self):
        for key in ("..%2f..%2fetc", "%2e%2e", "0000:3b:00.0%2f..%2f0000:3b:00.1", "0000:3b:00.0%00", "0000:3b:00.8", "0000:3b:20.0", "3b:00.0",
                    "0000:3b:00.0 ", "netdevsim", "netdevsim01", "netdevsim-1", "netdevsim99999999999", "0000%3a3b%3a00.0x", "%ff"):
            for method, body in (("GET", None), ("PATCH", {"allowed": True})):
                answer = self.s.call(method, "/v1/hosts/bad1/pfs/" + key.replace(" ", "%20"), body, check=False)
                self.assertEqual(answer.status, 400, key)
                self.refused(answer, 400, "invalid", remedy=False)

    # ---- VMs ----

    def test_unknown_fields(self):
        self.refused(self.vm(vcpu=1), 400, "unknown_field", "vcpu")
        self.refused(self.port(vlan=5), 400, "unknown_field", "ports[0].vlan")
        self.refused(self.port(policy={"Vlan": 5}), 400, "unknown_field", "ports[0].policy.Vlan")
        self.refused(self.port(require={"driver": "igb"}), 400, "unknown_field", "ports[0].require.driver")
        self.refused(self.vm(placement={"where": "here"}), 400, "unknown_field", "placement.where")
        self.refused(self.s.call("POST", "/v1/hosts", {"name": "x", "id": 1}), 400, "unknown_field", "id")
        self.refused(self.s.call("PATCH", "/v1/hosts/bad1", {"state": "ready"}), 400, "unknown_field", "state")
        self.refused(self.s.call("PATCH", "/v1/hosts/bad1/pfs/0000:3b:00.0", {"eswitch_mode": "switchdev"}), 400, "unknown_field", "eswitch_mode")
        self.refused(self.s.call("POST", "/v1/tokens", {"name": "x", "role": "viewer", "secret": "y"}), 400, "unknown_field", "secret")

    def test_wrong_types_and_missing_members(self):
        for member, values in (("name", (1, True, [], {})), ("vcpus", ("1", 1.5, True, [])), ("memory_mib", ("64", 1.0, {})), ("ports", ({}, "eth0", 1)),
                               ("id", (1, {})), ("lifecycle", (1, [])), ("placement", ("spread", []))):
            for value in values:
                self.refused(self.vm(**{member: value}), 400, "invalid", member)
        for member in ("name", "vcpus", "memory_mib"):
            body = {"name": "x", "vcpus": 1, "memory_mib": 1}
            del body[member]
            self.refused(self.s.call("POST", "/v1/vms", body), 400, "invalid", member)
        for index, value in enumerate((1, "eth0", None, [])):
            self.refused(self.vm(ports=[{"name": f"e{i}"} for i in range(index)] + [value]), 400, "invalid", f"ports[{index}]")
        for member, values in (("vlan", ("5", 5.5, True)), ("spoofchk", (True, "yes", 1)), ("trust", (False, "true")), ("link_state", ("up", 1)),
                               ("vlan_proto", ("802.1Q", "qinq", 1)), ("max_tx_rate_mbps", ("1000", 0.5))):
            for value in values:
                self.refused(self.port(policy={member: value}), 400, "invalid", f"ports[0].policy.{member}")

    def test_ranges(self):
        for member, value in (("vcpus", 0), ("vcpus", -1), ("vcpus", 4097), ("vcpus", 2 ** 53), ("vcpus", 10 ** 30), ("memory_mib", 0), ("memory_mib", -5),
                              ("memory_mib", (64 << 20) + 1), ("id", "not-a-uuid"), ("id", "00000000-0000-0000-0000-000000000000"),
                              ("name", ""), ("name", "a b"), ("name", "-a"), ("name", "../../etc/passwd"), ("name", "a" * 64), ("name", "ä"),
                              ("lifecycle", "eternal")):
            self.refused(self.vm(**{member: value}), 400, "invalid", member)
        self.refused(self.vm(placement={"strategy": "best"}), 400, "invalid", "placement.strategy")
        self.refused(self.vm(ports=[{"name": f"e{i}"} for i in range(17)]), 400, "invalid", "ports", remedy=False)
        self.refused(self.port(vnic_type="virtual"), 400, "invalid", "ports[0].vnic_type")
        self.refused(self.port(fallback="maybe"), 400, "invalid", "ports[0].fallback")
        self.refused(self.port(require={"vendor_id": "0x8086"}), 400, "invalid", "ports[0].require.vendor_id")
        self.refused(self.port(require={"capabilities": ["speed"]}), 400, "invalid", "ports[0].require.capabilities[0]")
        self.refused(self.vm(ports=[{"name": "a"}, {"name": "a"}]), 400, "invalid", "ports[1].name")

    def test_bad_macs(self):
        for mac in ("01:00:5e:00:00:01", "ff:ff:ff:ff:ff:ff", "33:33:00:00:00:01", "00:00:00:00:00:00", "01:80:c2:00:00:00", "01:80:c2:00:00:0e",
                    "52:54:00:12:34", "52:54:00:12:34:56:78", "52-54-00-12-34-56", "525400123456", "52:54:00:12:34:5g", "", " 52:54:00:12:34:56"):
            self.refused(self.port(mac=mac), 400, "invalid", "ports[0].mac")
            self.refused(self.port(policy={"mac": mac}), 400, "invalid", "ports[0].policy.mac")
        self.refused(self.port(mac="52:54:00:00:00:01", policy={"mac": "52:54:00:00:00:02"}), 400, "invalid", "ports[0].policy.mac")

    def test_bad_policies(self):
        for policy, field in (({"vlan": 4095}, "vlan"), ({"vlan": 4096}, "vlan"), ({"vlan": -1}, "vlan"), ({"vlan_qos": 3}, "vlan_qos"),
                              ({"vlan": 0, "vlan_qos": 3}, "vlan_qos"), ({"vlan": 5, "vlan_qos": 8}, "vlan_qos"), ({"vlan_proto": "802.1ad"}, "vlan_proto"),
                              ({"min_tx_rate_mbps": 200, "max_tx_rate_mbps": 100}, "min_tx_rate_mbps"), ({"max_tx_rate_mbps": -1}, "max_tx_rate_mbps"),
                              ({"max_tx_rate_mbps": 4294968}, "max_tx_rate_mbps"), ({"min_tx_rate_mbps": -5}, "min_tx_rate_mbps"),
                              ({"min_tx_rate_mbps": 2 ** 63 - 1}, "min_tx_rate_mbps")):
            self.refused(self.port(policy=policy), 400, "invalid", "ports[0].policy." + field)

    def test_a_mac_is_used_once_on_a_physical_network(self):
        port = {"mac": "52:54:00:00:77:01", "physical_network": "physnet0"}
        self.create("mac-first", [port])
        self.refused(self.s.call("POST", "/v1/vms", {"name": "mac-second", "vcpus": 1, "memory_mib": 1, "ports": [port]}), 409, "mac_in_use", "ports[0].mac")
        twice = self.vm(ports=[{**port, "name": "a", "mac": "52:54:00:00:77:02"}, {**port, "name": "b", "mac": "52:54:00:00:77:02"}])
        self.refused(twice, 400, "invalid", "ports[1].mac")

    def test_what_is_not_there(self):
        for method, path, field in (("GET", "/v1/hosts/nobody", "host"), ("PATCH", "/v1/hosts/nobody", "host"), ("DELETE", "/v1/hosts/nobody", "host"),
                                    ("GET", "/v1/hosts/nobody/pfs/0000:3b:00.0", "host"), ("GET", "/v1/hosts/bad1/pfs/0000:99:00.0", "pf"),
                                    ("PATCH", "/v1/hosts/bad1/pfs/0000:99:00.0", None), ("GET", "/v1/vms/nobody", "vm"), ("DELETE", "/v1/vms/nobody", "vm"),
                                    ("GET", "/v1/pfs?host=nobody", "host"), ("GET", "/v1/vfs?host=nobody", "host"), ("GET", "/v1/vms?host=nobody", "host"),
                                    ("DELETE", "/v1/tokens/nobody", None), ("GET", "/v1/hosts/" + "h" * 300, "host"),
                                    ("GET", "/v1/vms/01999999-0000-7000-8000-000000000001", "vm")):
            body = {"allowed": True} if "pfs" in path and method == "PATCH" else {"cordoned": True} if method == "PATCH" else None
            self.refused(self.s.call(method, path, body), 404, "not_found", field)
        self.refused(self.vm(placement={"host": "nobody"}), 404, "not_found")

    def test_stale_generations(self):
        for headers, status, code in (({"If-Match": '"99"'}, 409, "concurrent_update"), ({"If-Match": "1"}, 400, "invalid"),
                                      ({"If-Match": 'W/"1"'}, 400, "invalid"), ({"If-Match": '"x"'}, 400, "invalid")):
            for method, path, body in (("PATCH", "/v1/hosts/bad1", {"cordoned": False}), ("PATCH", "/v1/hosts/bad1/pfs/0000:3b:00.0", {"allowed": True})):
                self.refused(self.s.call(method, path, body, headers=headers), status, code)
        self.create("stale", [])
        self.refused(self.s.call("DELETE", "/v1/vms/stale", headers={"If-Match": '"7"'}), 409, "concurrent_update")
        self.refused(self.s.call("PATCH", "/v1/hosts/bad1", {"generation": 0, "cordoned": False}), 409, "concurrent_update")
        self.refused(self.s.call("PATCH", "/v1/hosts/bad1", {"generation": 1}, headers={"If-Match": '"2"'}), 400, "invalid", "generation")

    def test_bad_idempotency_keys(self):
        for key in ("k" * 72, "a b", "\xe4"):
            answer = self.s.call("POST", "/v1/vms", {"name": "x", "vcpus": 1, "memory_mib": 1}, headers={"Idempotency-Key": key})
            self.refused(answer, 400, "invalid", "Idempotency-Key")

    # ---- hosts and PFs ----

    def test_bad_host_changes(self):
        for change, field in (({"cordoned": "yes"}, "cordoned"), ({"vcpu_ratio_percent": 99}, "vcpu_ratio_percent"),
                              ({"memory_ratio_percent": 10001}, "memory_ratio_percent"), ({"labels": []}, "labels"), ({"labels": {"a": 1}}, "labels.a"),
                              ({"labels": {"a b": "c"}}, "labels.a b"), ({"labels": {"a": "x" * 64}}, "labels.a"),
                              ({"labels": {f"k{i}": "v" for i in range(33)}}, "labels"), ({"networks": {}}, "networks"),
                              ({"networks": [{"device": "br0"}]}, "networks[0].physical_network"),
                              ({"networks": [{"device": "", "physical_network": "p"}]}, "networks[0].device"),
                              ({"networks": [{"device": "b" * 16, "physical_network": "p"}]}, "networks[0].device"),
                              ({"networks": [{"device": "br0", "physical_network": "a/b"}]}, "networks[0].physical_network"),
                              ({"networks": [{"device": "br0", "physical_network": "p"}, {"device": "br0", "physical_network": "q"}]}, "networks[1].device")):
            self.refused(self.s.call("PATCH", "/v1/hosts/bad1", change), 400, "invalid", field)
        for name in ("", "a b", "../x", "h" * 64, "-h", 7):
            self.refused(self.s.call("POST", "/v1/hosts", {"name": name}), 400, "invalid", "name")

    def test_the_management_pf_is_not_given(self):
        self.refused(self.s.call("PATCH", "/v1/hosts/bad1/pfs/0000:3b:00.1", {"allowed": True}), 409, "conflict")
        self.refused(self.s.call("PATCH", "/v1/hosts/bad1/pfs/0000:3b:00.0", {"physical_network": "a b"}), 400, "invalid", "physical_network")

    def test_bad_tokens(self):
        for body, field in (({"name": "x", "role": "agent"}, "role"), ({"name": "x", "role": "none"}, "role"), ({"name": "x", "role": "root"}, "role"),
                            ({"name": "a/b", "role": "viewer"}, "name"), ({"role": "viewer"}, "name"), ({"name": "x"}, "role")):
            self.refused(self.s.call("POST", "/v1/tokens", body), 400, "invalid", field)
        self.refused(self.s.call("POST", "/v1/tokens", {"name": "admin", "role": "viewer"}), 409, "duplicate_name", "name")

    # ---- identities ----

    def test_no_and_foreign_tokens(self):
        for header in (None, "Bearer", "Bearer ", "Bearer nonsense", "Basic YTpi", "bearer\t" + self.s.token, "Bearer " + "x" * 5000):
            answer = self.s.raw("GET", "/v1/vms", headers={"Authorization": header} if header else {})
            self.refused(answer, 401, "unauthenticated")
            self.assertIn("WWW-Authenticate", answer.headers)

    def test_an_agent_speaks_for_its_own_host_only(self):
        other = Agent(self.s, "bad2")
        other.sync()
        problem = self.refused(other.put(other.document(), host="bad1"), 403, "forbidden", "host")
        self.assertIn("'bad2'", problem["detail"])
        problem = self.refused(self.s.call("GET", "/v1/agents/bad1/desired", token=other.token), 403, "forbidden", "host")
        self.assertIn("'bad2'", problem["detail"])
        self.refused(other.put(other.document(host="bad1")), 409, "wrong_host", "host")
        self.refused(self.s.call("GET", "/v1/vms", token=other.token), 403, "forbidden")
        self.assertEqual(self.s.get("/v1/hosts/bad1")["state"], "ready")

    def test_two_agents_with_one_name(self):
        first = Agent(self.s, "twin")
        first.sync()
        second = Agent(self.s, "twin", token=first.token)
        self.refused(second.put(second.document()), 409, "wrong_host", "machine_id")
        cloned = Agent(self.s, "clone", machine=first.machine)
        self.refused(cloned.put(cloned.document()), 409, "wrong_host", "machine_id")
        renewed = self.s.call("POST", "/v1/hosts", {"name": "twin"})
        self.assertEqual((renewed.status, renewed.body["renewed"]), (200, True))
        self.refused(first.put(first.document()), 401, "unauthenticated")
        first.token = renewed.body["token"]
        first.report()

    def test_bad_reports(self):
        agent = Agent(self.s, "bad3")
        agent.sync()
        good = agent.document()

        def changed(**changes):
            agent.sequence += 1
            return agent.put({**good, "sequence": agent.sequence, **changes})
        for changes, field in (({"machine_id": "x"}, "machine_id"), ({"sequence": -1}, "sequence"), ({"full": "yes"}, "full"), ({"ports": {}}, "ports"),
                               ({"inventory": []}, "inventory"), ({"accepted": "1"}, "accepted"), ({"host": 5}, "host"),
                               ({"inventory": {**good["inventory"], "pfs": [{"key": "../../sys"}]}}, "inventory.pfs[0].key"),
                               ({"inventory": {**good["inventory"], "vcpus": "4"}}, "inventory.vcpus")):
            self.refused(changed(**changes), 400, "invalid", field)
        twice = [pf("0000:3b:00.0"), pf("0000:3b:00.0")]
        self.refused(changed(inventory={**good["inventory"], "pfs": twice}), 400, "invalid")
        vfs = pf("0000:3b:00.0")
        vfs["vfs"][1]["index"] = 0
        self.refused(changed(inventory={**good["inventory"], "pfs": [vfs]}), 400, "invalid")
        self.refused(changed(full=False, base=7), 409, "need_full")
        agent.report()
        stale = agent.put({**good, "sequence": 1})
        problem = self.refused(stale, 409, "stale_report", "sequence")
        self.assertEqual(problem["known_incarnation"], 1)
        self.refused(agent.put({**good, "incarnation": 0, "sequence": 99}), 409, "stale_report")
        agent.sequence += 1
        more = agent.put({**good, "sequence": agent.sequence, "from_the_future": 1})
        self.assertEqual((more.status, more.body["unknown_members"]), (200, 1))

    # ---- raw HTTP ----

    def test_broken_requests_end_with_an_answer_or_a_closed_connection(self):
        token = self.s.token
        for raw in (b"\r\n\r\n", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"GET /v1/hosts\r\n\r\n",
                    b"GET http://[::1 HTTP/1.1\r\nHost: x\r\n\r\n", b"POST /v1/vms HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
                    b"POST /v1/vms HTTP/1.1\r\nHost: x\r\nContent-Length: abc\r\n\r\n", b"GET /%zz HTTP/1.1\r\nHost: x\r\n\r\n",
                    b"GET /" + b"a" * 100000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 20000 + b"\r\n",
                    f"POST /v1/vms HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n"
                    "Transfer-Encoding: chunked\r\n\r\nzz\r\n".encode()):
            with socket.create_connection(self.s.address.split(":"), timeout=10) as sock:
                try:
                    sock.sendall(raw)
                    sock.shutdown(socket.SHUT_WR)
                    answer = sock.recv(4096)
                except OSError: # closed already
                    answer = b""
                self.assertFalse(answer.startswith(b"HTTP/1.1 2"), raw[:60])


if __name__ == "__main__":
    unittest.main()
