# SPDX-License-Identifier: Apache-2.0
"""The data folder: locked, damaged, newer, full, emptied, restored."""
import os
import resource
import shutil
import signal
import sqlite3
import stat
import subprocess
import tempfile
import time
import unittest

from harness import Agent, Scheduler, eventually, pf


class Folder(unittest.TestCase):
    def setUp(self):
        self.s = Scheduler()

    def tearDown(self):
        self.s.close()

    def create(self, name, **more):
        return self.s.call("POST", "/v1/vms", {"name": name, "vcpus": 1, "memory_mib": 1, "ports": [], **more})

    def host(self, name="folder1"):
        agent = Agent(self.s, name, pfs=[pf("0000:3b:00.0", 8)])
        agent.sync()
        agent.allow()
        return agent

    def refused_start(self):
        run = subprocess.run(self.s.command(), capture_output=True, text=True, timeout=30)
        self.assertEqual(run.returncode, 1, run.stderr)
        self.assertEqual(run.stdout, "")
        return run.stderr

    def test_the_first_start_makes_what_only_the_owner_may_read(self):
        self.s.start()
        for name, mode in ((".", 0o700), ("admin.token", 0o600), ("store.db", 0o600), ("lock", 0o600)):
            self.assertEqual(stat.S_IMODE(os.stat(os.path.join(self.s.data, name)).st_mode), mode, name)
        token = self.s.token.encode()
        self.s.stop()
        for name in os.listdir(self.s.data):
            if name != "admin.token":
                with open(os.path.join(self.s.data, name), "rb") as file:
                    self.assertNotIn(token, file.read(), name)
        self.s.start()
        self.assertEqual(self.s.token.encode(), token)

    def test_a_second_process_is_refused_and_told_of_the_first(self):
        self.s.start()
        told = self.refused_start()
        self.assertIn(f"process {self.s.process.pid}", told)
        self.assertIn("--data", told)
        self.assertEqual(self.s.call("GET", "/v1/vms").status, 200)

    def test_a_lost_token_file_is_replaced_when_no_admin_is_left(self):
        self.s.start()
        self.s.stop()
        os.unlink(os.path.join(self.s.data, "store.db"))
        self.s.start()
        self.assertEqual(self.s.call("GET", "/v1/tokens").status, 200)

    def test_a_damaged_database_is_named_with_the_remedy(self):
        self.s.start()
        self.host()
        for i in range(50):
            self.create(f"vm{i}")
        self.s.stop()
        path = os.path.join(self.s.data, "store.db")
        with open(path, "r+b") as file:
            file.seek(4096)
            file.write(b"\x5a" * 8192)
        told = self.refused_start()
        for word in (path, "damaged", "snapshot"):
            self.assertIn(word, told)

    def test_a_record_that_cannot_be_read_is_named(self):
        self.s.start()
        self.s.enroll("broken1")
        self.s.stop()
        path = os.path.join(self.s.data, "store.db")
        database = sqlite3.connect(path)
        database.execute("UPDATE entry SET value = '{\"name\": 7}' WHERE kind = 'host'")
        database.commit()
        database.close()
        told = self.refused_start()
        for word in ("host", "'broken1'", "name", "snapshot"):
            self.assertIn(word, told)

    def test_a_record_of_an_unknown_kind_is_named(self):
        self.s.start()
        self.s.stop()
        database = sqlite3.connect(os.path.join(self.s.data, "store.db"))
        database.execute("INSERT INTO entry VALUES('flying_carpet', x'61', '{}')")
        database.commit()
        database.close()
        self.assertIn("flying_carpet", self.refused_start())

    def test_a_newer_schema_is_left_alone(self):
        self.s.start()
        self.s.stop()
        path = os.path.join(self.s.data, "store.db")
        database = sqlite3.connect(path)
        database.execute("PRAGMA user_version = 99")
        database.commit()
        database.close()
        with open(path, "rb") as file:
            before = file.read()
        told = self.refused_start()
        for word in (path, "99", "newer"):
            self.assertIn(word, told)
        with open(path, "rb") as file:
            self.assertEqual(file.read(), before)

    def test_another_file_is_no_database(self):
        os.mkdir(self.s.data)
        with open(os.path.join(self.s.data, "store.db"), "wb") as file:
            file.write(b"these are my holiday photos " * 1000)
        self.assertIn("store.db", self.refused_start())

    def test_an_emptied_folder_is_a_new_cluster_and_destroys_nothing(self):
        self.s.start()
        agent = self.host()
        self.create("before", ports=[{}])
        agent.sync()
        first = self.s.get("/version")["cluster_id"]
        self.s.stop()
        shutil.rmtree(self.s.data)
        self.s.start()
        self.assertNotEqual(self.s.get("/version")["cluster_id"], first)
        agent.token = self.s.enroll(agent.name)
        held = list(agent.ports.values())
        for port in held:
            port["phase"] = "unknown_to_scheduler"
        agent.report()
        shown = self.s.get(f"/v1/hosts/{agent.name}")["unknown_to_scheduler"]
        self.assertEqual([p["id"] for p in shown], [p["id"] for p in held])
        self.assertEqual(agent.poll("0.0")["ports"], [])
        agent.allow()
        refused = self.create("before-adopt", ports=[{}]).body
        self.assertEqual(refused["code"], "no_valid_host")
        self.assertIn("adopt", refused["reasons"][0]["example"]["message"])
        agent.cluster, agent.revision = self.s.get("/version")["cluster_id"], "0.0" # what 'sriov-agent adopt' does
        agent.report()
        used = {p["claim"]["vf_index"] for p in held}
        for i in range(7):
            answer = self.create(f"after{i}", ports=[{}])
            self.assertEqual(answer.status, 201, answer.body)
            self.assertNotIn(answer.body["ports"][0]["claim"]["vf_index"], used, "a held VF was given away")
        self.assertEqual(self.create("after-last", ports=[{}]).body["code"], "no_valid_host")

    def test_restored_data_goes_above_the_epoch_of_its_agents(self):
        self.s.start()
        agent = self.host()
        self.s.stop()
        copy = self.s.data + ".copy"
        shutil.copytree(self.s.data, copy)
        for _ in range(3):
            self.s.start()
            self.s.stop()
        self.s.start()
        self.create("after-the-copy", ports=[{}])
        agent.sync()
        epoch = int(agent.revision.split(".")[0])
        self.s.stop()
        shutil.rmtree(self.s.data)
        shutil.move(copy, self.s.data)
        self.s.start()
        self.assertLess(self.s.get("/version")["epoch"], epoch)
        for port in agent.ports.values():
            port["phase"] = "unknown_to_scheduler"
        agent.report()
        self.assertGreater(self.s.get("/version")["epoch"], epoch)
        self.assertGreater(int(agent.poll("0.0")["revision"].split(".")[0]), epoch)
        self.s.kill()
        self.s.start()
        self.assertGreater(self.s.get("/version")["epoch"], epoch + 1)


class Full(unittest.TestCase):
    """A full disk: 503 not_durable, nothing half-done, and the service goes on when there is room again."""

    def setUp(self):
        self.mount = None
        self.s = Scheduler()

    def tearDown(self):
        self.s.close()
        if self.mount:
            subprocess.run(["umount", "-l", self.mount], check=True)
            os.rmdir(self.mount)

    def check_full(self, fill, make_room):
        self.s.start()
        agent = Agent(self.s, "full1", pfs=[pf("0000:3b:00.0", 64)])
        agent.sync()
        agent.allow()
        body = {"vcpus": 1, "memory_mib": 1, "ports": [{}]}
        kept = self.s.call("POST", "/v1/vms", {"name": "kept", **body}).body["id"]
        fill()
        refused = None
        for i in range(2000):
            answer = self.s.call("POST", "/v1/vms", {"name": f"full{i}", **body, "ports": []})
            if answer.status != 201:
                refused = answer
                break
        self.assertIsNotNone(refused, "the disk did not become full")
        self.assertEqual((refused.status, refused.body["code"]), (503, "not_durable"), refused.body)
        self.assertTrue(refused.body["remedy"])
        self.assertTrue(refused.headers["Retry-After"])
        name = f"full{i}"
        self.assertEqual(self.s.call("GET", f"/v1/vms/{name}").status, 404)
        self.assertEqual(self.s.raw("GET", "/healthz").status, 200)
        self.assertEqual(self.s.call("GET", "/readyz").status, 503)
        agent.report()
        self.assertEqual(self.s.get("/v1/hosts/full1")["state"], "ready")
        make_room()
        eventually(lambda: self.s.call("GET", "/readyz").status == 200, 10, "readiness")
        self.assertEqual(self.s.call("POST", "/v1/vms", {"name": name, **body}).status, 201)
        before = {vm["id"] for vm in self.s.items("/v1/vms")}
        self.s.kill()
        self.s.start()
        self.assertEqual({vm["id"] for vm in self.s.items("/v1/vms")}, before)
        self.assertIn(kept, before)

    def test_a_full_file_system(self):
        mount = tempfile.mkdtemp(prefix="sriov-it-full-")
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", mount], capture_output=True, check=False).returncode:
            os.rmdir(mount)
            self.skipTest("mounting a tmpfs needs root; the limit on files below is tested in any case")
        self.mount = mount
        self.s.data = os.path.join(mount, "data")
        ballast = os.path.join(mount, "ballast")

        def fill():
            file = os.open(ballast, os.O_WRONLY | os.O_CREAT)
            try:
                while True:
                    os.write(file, b"x" * 4096)
            except OSError:
                os.close(file)
        self.check_full(fill, lambda: os.unlink(ballast))

    def test_a_limit_on_files(self):
        def limit():
            resource.prlimit(self.s.process.pid, resource.RLIMIT_FSIZE, (os.path.getsize(os.path.join(self.s.data, "store.db-wal")) + 20000,
                                                                          resource.RLIM_INFINITY))
        self.check_full(limit, lambda: resource.prlimit(self.s.process.pid, resource.RLIMIT_FSIZE,
                                                        (resource.RLIM_INFINITY, resource.RLIM_INFINITY)))


if __name__ == "__main__":
    unittest.main()
