# SPDX-License-Identifier: Apache-2.0
"""The programs sriov-agent and sriov-fleet: their commands, and their life with a real scheduler that dies and comes
back."""
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import unittest

from harness import BIN, Scheduler
from harness import eventually as wait_for

AGENT = os.path.join(BIN, "sriov-agent")
FLEET = os.path.join(BIN, "sriov-fleet")
MACHINE = "5d2c1f3e-0b7a-4c6d-9e8f-7a6b5c4d3e2f"
CLUSTER = "0192f0a1-7c1e-7cc3-98c4-dc0c0c07398f"


def run(*words, program=AGENT):
    return subprocess.run([program, *words], capture_output=True, text=True, timeout=60, check=False)


def eventually(check, what, seconds=10):
    return wait_for(check, seconds, what)


def free_port():
    with socket.socket() as each:
        each.bind(("127.0.0.1", 0))
        return each.getsockname()[1]


class Folder(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="sriov-agent-it-")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, text):
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write(text)
        return self.path(name)


class Commands(Folder):
    def refused(self, status, *words, program=AGENT):
        """Exit status 1 and one message that holds all of the words."""
        self.assertEqual(status.returncode, 1, status)
        self.assertEqual(status.stdout, "")
        for word in words:
            self.assertIn(word, status.stderr)

    def test_help_tells_each_command_with_an_example(self):
        for words in (["--help"], ["run", "--help"], ["inventory", "--help"], ["readiness", "--help"], ["adopt", "--help"], ["state", "-h"]):
            answer = run(*words)
            self.assertEqual(answer.returncode, 0, answer)
            self.assertIn("example:\n  sriov-agent", answer.stdout)
        self.assertRegex(run("--version").stdout, r"^sriov-agent \d+\.\d+\.\d+\n$")

    def test_the_inventory_is_json_and_needs_no_scheduler(self):
        for words in (["inventory"], ["inventory", "-o", "json"]):
            answer = run(*words)
            self.assertEqual(answer.returncode, 0, answer)
            inventory = json.loads(answer.stdout)
            self.assertEqual(inventory["kernel"], os.uname().release)
            self.assertEqual(inventory["vcpus"], os.cpu_count())

    def test_readiness_is_a_line_per_check_and_fails_with_a_check(self):
        # libvirt's own test driver answers, but is no QEMU.
        answer = run("readiness", "--libvirt-uri", "test:///default")
        status = {}
        for line in answer.stdout.splitlines():
            if not line.startswith(" "):
                word, name, reason = line.split(None, 2)
                status[name] = word
                self.assertNotEqual(reason, "")
        self.assertEqual(status["libvirt"], "ok", answer)
        self.assertEqual(status["qemu"], "failed", answer)
        self.assertEqual(answer.returncode, 1, answer)
        inventory = json.loads(run("inventory", "--libvirt-uri", "test:///default").stdout)
        self.assertRegex(inventory["libvirt_version"], r"^\d+\.\d+\.\d+$")
        self.assertEqual(inventory["qemu_version"], "")
        self.assertEqual({check["name"]: check["status"] for check in inventory["checks"]}, status)

    def test_wrong_words_are_refused_with_a_reason(self):
        self.refused(run("frobnicate"), "frobnicate", "--help")
        self.refused(run("inventory", "-o", "yaml"), "json")
        self.refused(run("inventory", "--colour", "red"), "colour")
        self.refused(run("run"), "scheduler", "--server")
        self.refused(run("run", "--server", "http://127.0.0.1:1", "--name", "../x"), "'../x'")
        self.refused(run("run", "--server", "ftp://h", "--name", "x", "--state-dir", self.path("s")), "ftp://h")
        self.refused(run("adopt", "--state-dir", self.path("s"), "--cluster-id", "7"), "UUID")
        self.refused(run("run", "--config", self.write("c", "[agent]\nserver = x\ncolour = red\n")), "colour", ":3")

    def test_adopt_and_state_show_what_is_kept(self):
        answer = run("adopt", "--state-dir", self.path("s"), "--cluster-id", CLUSTER)
        self.assertEqual(answer.returncode, 0, answer)
        state = json.loads(run("state", "--state-dir", self.path("s")).stdout)
        self.assertEqual((state["adopt"], state["managed"], state["accepted"]), (CLUSTER, [], "0.0"))
        self.assertEqual(os.stat(self.path("s/agent.json")).st_mode & 0o777, 0o600)

    def test_a_damaged_state_stops_the_agent(self):
        os.mkdir(self.path("s"))
        self.write("s/agent.json", '{"version": 1, "managed": [')
        for words in (["run", "--server", "http://127.0.0.1:1", "--name", "x"], ["adopt", "--cluster-id", CLUSTER], ["state"]):
            self.refused(run(*words, "--state-dir", self.path("s")), "agent.json", "remedy")
        self.write("s/agent.json", '{"version": 9}')
        self.refused(run("state", "--state-dir", self.path("s")), "newer agent")


class Live(Folder):
    """One real agent of this machine and one scheduler on a port that stays the same."""

    def setUp(self):
        super().setUp()
        self.port = free_port()
        self.s = Scheduler("--listen", f"127.0.0.1:{self.port}").start()
        self.addCleanup(self.s.close)
        self.processes = []
        self.addCleanup(self.end_all)

    def end_all(self):
        for process in self.processes:
            if process.poll() is None:
                process.kill()
            process.wait(10)
            process.log.close()

    def start(self, *words, program=AGENT, log="log"):
        file = open(self.path(log), "ab")  # pylint: disable=consider-using-with
        process = subprocess.Popen([program, *words], stdout=file, stderr=file)
        process.log = file
        self.processes.append(process)
        return process

    def share_machine_id(self, folder):
        """A system without /etc/machine-id (a bare root) has one per state folder; these agents are of one machine."""
        if not os.path.exists("/etc/machine-id"):
            os.makedirs(folder, mode=0o700, exist_ok=True)
            with open(os.path.join(folder, "machine-id"), "w", encoding="ascii") as file:
                file.write(MACHINE + "\n")

    def agent(self, name, token, log="log", state="state"):
        self.share_machine_id(self.path(state))
        return self.start("run", "--server", f"http://127.0.0.1:{self.port}", "--name", name, "--token-file",
                          self.write(name + ".token", token + "\n"), "--state-dir", self.path(state), "--hook-socket", "none", log=log)

    def log(self, name="log"):
        with open(self.path(name), encoding="utf-8") as file:
            return file.read()

    def seen(self, name):
        answer = self.s.call("GET", f"/v1/hosts/{name}")
        return answer.body["agent"] if answer.status == 200 else None

    def end_in_time(self, process):
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(5), 0)

    def test_an_agent_reports_ends_at_once_and_comes_back_with_a_higher_incarnation(self):
        token = self.s.enroll("h1")
        first = self.agent("h1", token)
        eventually(lambda: self.seen("h1"), "the host's report")
        self.assertEqual(self.seen("h1")["incarnation"], 1)
        self.end_in_time(first)
        second = self.agent("h1", token)
        eventually(lambda: self.seen("h1")["incarnation"] == 2, "the second start's report")
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            self.assertEqual(self.seen("h1")["boot_id"], file.read().strip())
        other = self.agent("h1", token, log="log2")
        self.assertEqual(other.wait(10), 1)
        self.assertIn("another agent uses the state folder", self.log("log2"))
        self.end_in_time(second)

    def test_a_lost_state_folder_does_not_stop_the_reports(self):
        token = self.s.enroll("h1")
        for _ in range(3):
            self.end_in_time_after_report(token, "state")
        shutil.rmtree(self.path("state"))
        agent = self.agent("h1", token)
        eventually(lambda: self.seen("h1")["incarnation"] > 3, "a report above the known incarnation")
        self.end_in_time(agent)

    def test_two_agents_of_one_host_are_said(self):
        token = self.s.enroll("h1")
        first = self.agent("h1", token)
        eventually(lambda: self.seen("h1"), "the host's report")
        second = self.agent("h1", token, log="log2", state="state2")
        eventually(lambda: "another agent reports as host 'h1'" in self.log() + self.log("log2"), "a line about both", 60)
        self.end_in_time(first)
        self.end_in_time(second)

    def end_in_time_after_report(self, token, state):
        before = (self.seen("h1") or {}).get("incarnation", 0)
        agent = self.agent("h1", token, state=state)
        eventually(lambda: (self.seen("h1") or {}).get("incarnation", 0) > before, "a report")
        self.end_in_time(agent)

    def test_a_wrong_token_is_said_with_the_remedy_and_a_new_one_is_taken_without_a_restart(self):
        self.s.enroll("h1")
        agent = self.agent("h1", "x" * 43)
        eventually(lambda: "sriov-admin host enroll" in self.log(), "the remedy in the log")
        self.assertNotIn("x" * 43, self.log())
        self.write("h1.token", self.s.enroll("h1"))
        eventually(lambda: self.seen("h1"), "a report with the new token", 45)
        self.end_in_time(agent)

    def test_another_hosts_token_is_refused(self):
        self.s.enroll("h1")
        agent = self.agent("h1", self.s.enroll("h2"))
        eventually(lambda: "belongs to host 'h2'" in self.log(), "the remedy in the log")
        self.assertIsNone(self.seen("h1"))
        self.assertIsNone(self.seen("h2"))
        self.end_in_time(agent)

    def test_without_a_scheduler_it_waits_and_then_reports(self):
        token = self.s.enroll("h1")
        self.s.kill()
        agent = self.agent("h1", token)
        eventually(lambda: "VFs keep their policy" in self.log(), "a line about the missing scheduler")
        time.sleep(1)
        self.assertEqual(self.log().count("VFs keep their policy"), 1)
        self.s.start()
        eventually(lambda: self.seen("h1"), "a report after the scheduler's start", 40)
        eventually(lambda: "again" in self.log(), "a line that all is well")
        self.end_in_time(agent)

    # ---- the fleet

    def fleet(self, hosts, *words):
        token = self.write("admin.token", self.s.token)
        process = self.start("--server", f"http://127.0.0.1:{self.port}", "--token-file", token, "--hosts", str(hosts), *words,
                             program=FLEET, log="fleet")
        eventually(lambda: f"ready {hosts} hosts" in self.log("fleet") or process.poll() is not None, "the fleet", 60)
        self.assertIsNone(process.poll(), self.log("fleet"))
        return process

    def vms(self):
        return self.s.items("/v1/vms")

    def applied(self):
        return sum(vm["conditions"][0]["status"] == "True" for vm in self.vms())

    def states(self):
        found = {}
        for vf in self.s.items("/v1/vfs"):
            found[vf["state"]] = found.get(vf["state"], 0) + 1
        return found

    def create(self, name):
        body = {"name": name, "vcpus": 1, "memory_mib": 512, "placement": {"strategy": "spread"},
                "ports": [{"physical_network": "physnet0", "policy": {"vlan": 100}}]}
        answer = self.s.call("POST", "/v1/vms", body)
        self.assertEqual(answer.status, 201, answer.body)

    def test_vms_on_a_fleet_survive_the_schedulers_death_and_leave_clean_VFs(self):
        fleet = self.fleet(22)
        free = self.states()
        self.assertEqual(list(free), ["free"])
        for i in range(40):
            self.create(f"vm{i}")
        eventually(lambda: self.applied() == 40, "40 applied policies", 30)
        self.assertEqual(self.states()["claimed"], 40)
        self.s.kill()
        self.s.start()
        eventually(lambda: len(self.states()) == 2 and self.states().get("claimed") == 40, "all reported again", 60)
        eventually(lambda: self.applied() == 40, "40 policies that stayed applied", 30)
        for i in range(40):
            self.assertEqual(self.s.call("DELETE", f"/v1/vms/vm{i}").status, 202)
        eventually(lambda: not self.vms(), "the end of all VMs", 30)
        eventually(lambda: self.states() == free, "all VFs free again", 30)
        self.end_in_time(fleet)

    def configuration(self, pf, host="sim-0001"):
        return self.s.get(f"/v1/hosts/{host}/pfs/{pf}")["configuration"]

    def set_vfs(self, pf, count):
        answer = self.s.call("PATCH", f"/v1/hosts/sim-0001/pfs/{pf}", {"num_vfs": count})
        self.assertEqual(answer.status, 200, answer.body)

    def one_host(self):
        profile = self.write("profile", json.dumps([{"model": "intel-82599", "weight": 1, "pfs": 1}]))
        self.fleet(1, "--profile", profile, "--log-level", "error,agent=info")
        return self.s.items("/v1/pfs")[0]["key"]

    def test_a_VF_count_is_set_and_confirmed(self):
        pf = self.one_host()
        for count in (3, 0, 5):
            self.set_vfs(pf, count)
            eventually(lambda: self.configuration(pf)["phase"] == "applied", f"{count} VFs", 60)
            eventually(lambda n=count: len(self.s.items("/v1/vfs")) == n, f"{count} VFs told", 30)

    def test_a_change_after_which_the_scheduler_is_silent_undoes_itself(self):
        pf = self.one_host()
        before = len(self.s.items("/v1/vfs"))
        for count in range(1, 6):
            said = self.log("fleet").count("is applying")
            self.set_vfs(pf, count)
            until = time.monotonic() + 60
            while self.log("fleet").count("is applying") == said and time.monotonic() < until:
                time.sleep(0.002)
            self.s.process.send_signal(signal.SIGSTOP)
            time.sleep(1)
            if "is applied" not in self.log("fleet").rsplit("is applying", 1)[1]:
                break
            # It was confirmed before it fell silent: once more.
            self.s.process.send_signal(signal.SIGCONT)
            eventually(lambda: self.configuration(pf)["phase"] == "applied", "the change", 60)
            before = count
        eventually(lambda: "is rejected" in self.log("fleet"), "undoing", 90)
        self.s.process.send_signal(signal.SIGCONT)
        eventually(lambda: self.configuration(pf)["phase"] == "rejected", "the word of it", 90)
        eventually(lambda: len(self.s.items("/v1/vfs")) == before, "the old VFs", 30)
        # The same is not tried again; another one is.
        self.set_vfs(pf, 6)
        eventually(lambda: self.configuration(pf)["phase"] == "applied", "another count", 60)

    def test_a_fleet_says_what_it_lacks(self):
        for words, said in ((["--hosts", "0"], "1 to"), (["--profile", "/nonexistent"], "/nonexistent"), ([], "--token-file")):
            token = ["--token-file", "/dev/null"] if words else []
            answer = run("--server", f"http://127.0.0.1:{self.port}", *token, *words, program=FLEET)
            self.assertEqual(answer.returncode, 1, answer)
            self.assertIn(said, answer.stderr)
        token = self.write("bad.token", "y" * 43)
        answer = run("--server", f"http://127.0.0.1:{self.port}", "--token-file", token, "--hosts", "2", program=FLEET)
        self.assertEqual(answer.returncode, 1, answer)
        self.assertRegex(answer.stderr, "sim-000[12].*the bearer token is not known")


if __name__ == "__main__":
    unittest.main(verbosity=2)
