# SPDX-License-Identifier: Apache-2.0
"""The figures by name. Each takes a plan and gives its rows: ours, what it is compared with, and the goal. What is
compared is measured in turns, and the median of the turns is told, because a machine is seldom ours alone."""
import contextlib
import json
import os
import resource
import subprocess
import time
from statistics import median

import stage
from libvirtd import Libvirtd
from stage import Parts, Scheduler, Stage, cpu_ns, eventually, load, private_dirty


class Plan:
    def __init__(self, quick=False):
        self.quick = quick
        self.rounds = 2 if quick else 5
        self.claims = 1000 if quick else 3000


def row(figure, unit, ours, baseline=None, goal=None, most=None, ratios=None, raw=None):
    """'most': the goal for the ratio if there is a baseline, else for ours."""
    ratio = median(ratios) if ratios else ours / baseline if baseline else None
    told = ratio if ratio is not None else ours
    return {"figure": figure, "unit": unit, "ours": ours, "baseline": baseline, "ratio": ratio, "goal": goal,
            "met": None if most is None else told <= most, "most": most, "raw": raw or {}}


def expect(result, status):
    """All requests of a load were answered with this status."""
    if result["broken"] or result["statuses"] != {str(status): result["answered"]}:
        raise RuntimeError(f"not all answers are {status}: {result}")


def claim_round(side, lines, clients=64):
    """One load of claims: CPU per claim in µs, claims per second."""
    before = cpu_ns(side.pid)
    result = load(side.address, lines, clients)
    spent = cpu_ns(side.pid) - before
    expect(result, 201)
    return {"us": spent / result["answered"] / 1e3, "per_s": result["answered"] / result["seconds"], "client": result}


def parts_like(ours):
    """Raw parts that write the rows and give the answers that 'ours' does; both are warm then."""
    warm = claim_round(ours, ours.claims(1000))["client"]
    parts = Parts(*ours.store_rows(), warm["bytes_in"] // warm["answered"])
    claim_round(parts, ours.claims(1000))
    return parts


def claim(plan):
    """CPU of the scheduler per durable claim over REST at 64 clients, against raw parts; claims per second"""
    ours = Stage(100)
    parts = parts_like(ours)
    turns = []
    for _ in range(plan.rounds):
        lines = ours.claims(min(plan.claims, 2200))
        turns.append((claim_round(ours, lines), claim_round(parts, lines)))
    parts.close()
    ours.close()
    raw = {"ours": [a for a, _ in turns], "baseline": [b for _, b in turns]}
    return [row("claim", "µs CPU", median(a["us"] for a, _ in turns), median(b["us"] for _, b in turns), "at most 2x", 2.0,
                [a["us"] / b["us"] for a, b in turns], raw),
            row("claim-rate", "claims/s", median(a["per_s"] for a, _ in turns), median(b["per_s"] for _, b in turns))]


def claim_10000(plan):
    """the same CPU at 10,000 hosts, against 100 hosts"""
    few, many = Stage(100), Stage(10000)
    turns = []
    for side in (few, many):
        side.fill_events()  # enrolling 10,000 hosts has done so, enrolling 100 has not
        claim_round(side, side.claims(1000))
    for _ in range(plan.rounds):
        count = min(plan.claims, 2200)
        turns.append((claim_round(many, many.claims(count)), claim_round(few, few.claims(count))))
    few.close()
    many.close()
    raw = {"ours": [a for a, _ in turns], "baseline": [b for _, b in turns]}
    return [row("claim-10000", "µs CPU", median(a["us"] for a, _ in turns), median(b["us"] for _, b in turns), "at most 1.2x", 1.2,
                [a["us"] / b["us"] for a, b in turns], raw)]


def refusal_round(side, lines):
    before = cpu_ns(side.pid)
    result = load(side.address, lines, 16)
    spent = cpu_ns(side.pid) - before
    expect(result, 409)
    return spent / result["answered"] / 1e3


def refusal(plan):
    """CPU per 409 no_valid_host at 10,000 hosts, unlike the last one and the same again, against a claim there"""
    ours = Stage(10000)
    turns = []
    claim_round(ours, ours.claims(1000))
    for _ in range(plan.rounds):
        placed = claim_round(ours, ours.claims(1000))["us"]
        unlike = [line for i in range(100) for line in ours.claims(1, network=f"nowhere-{i}")]
        turns.append((refusal_round(ours, unlike), refusal_round(ours, ours.claims(300, network="nowhere", vlans=1)), placed))
    ours.close()
    return [row(name, "µs CPU", median(t[i] for t in turns), median(t[2] for t in turns), ratios=[t[i] / t[2] for t in turns],
                raw={"turns": turns}) for i, name in enumerate(("refusal", "refusal-again"))]


def core(plan):
    """a decision of the core alone, in ns of CPU, at 100, 1,000 and 10,000 hosts; the goal is on the growth"""
    sizes = [100, 1000, 10000]
    done = subprocess.run([stage.program("bench-core"), str(plan.rounds), str(plan.claims // 3), "20", *map(str, sizes)],
                          check=True, stdout=subprocess.PIPE)
    sides = json.loads(done.stdout)
    rows = []
    for side in sides:
        few = sides[0]
        for name in ("create", "refuse"):
            rows.append(row(f"core-{name}-{side['hosts']}", "ns CPU", median(side[name + "_ns"]), median(few[name + "_ns"]),
                            ratios=[x / y for x, y in zip(side[name + "_ns"], few[name + "_ns"])], raw=side))
    return rows


def memory_row(hosts, pfs=2, vfs=64):
    ours = Stage(hosts, pfs=pfs, vfs=vfs)
    time.sleep(12)  # the scheduler gives free pages back every 10 s
    count = hosts * pfs * vfs
    full, empty = private_dirty(ours.pid), ours.empty_dirty
    ours.close()
    return row(f"scheduler-memory-{hosts}", "bytes per VF", (full - empty) / count, goal="at most 200", most=200,
               raw={"vfs": count, "full": full, "empty": empty})


def scheduler_memory(plan):
    """private dirty memory of the scheduler per VF above an empty one's, with 1,000 and 10,000 hosts of 128 VFs"""
    return [memory_row(hosts) for hosts in ((200,) if plan.quick else (1000, 10000))]


class Agent:
    """A real sriov-agent on this machine that follows an empty scheduler, with a libvirtd of the bench's connected, until
    close(). It never writes: no PF is allowed, no probing."""

    def __init__(self):
        with contextlib.ExitStack() as started:
            self.libvirtd = Libvirtd()
            started.callback(self.libvirtd.close)
            self.scheduler = Scheduler(*stage.QUIET)
            started.callback(self.scheduler.close)
            self.scheduler.start()
            started.callback(self.scheduler.stop)
            self.process = self.start()
            started.callback(self.end)
            eventually(lambda: self.see()["state"] == "ready", 30, "the agent's first report")
            eventually(self.is_connected, 30, "libvirt connected")
            self.close = started.pop_all().close

    def start(self):
        token = os.path.join(self.scheduler.folder, "token")
        with open(token, "w", encoding="ascii") as file:
            file.write(self.scheduler.enroll("this"))
        os.chmod(token, 0o600)
        program = os.path.join(stage.BUILD, "bin", "sriov-agent")
        return subprocess.Popen([
            program, "run", "--server", "http://" + self.scheduler.address, "--name", "this", "--token-file", token,
            "--state-dir", os.path.join(self.scheduler.folder, "agent"),
            "--hook-socket", os.path.join(self.scheduler.folder, "hook.sock"), "--no-probe", "--log-level", "error",
            "--libvirt-uri", self.libvirtd.uri])

    def end(self):
        self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise

    def see(self, what=""):
        """The scheduler's answer about its host."""
        self.libvirtd.check()
        if self.process.poll() is not None:
            raise RuntimeError(f"the agent ended with {self.process.returncode}")
        self.scheduler.disconnect()  # the server closes connections that were idle for a minute
        return self.scheduler.get("/v1/hosts/this" + what)

    def is_connected(self):
        return any(check["name"] == "libvirt" and check["status"] == "ok" for check in self.see("/readiness")["checks"])


def agent(plan):
    """private dirty memory of a real agent that has reported, libvirt connected, and its CPU while nothing changes"""
    seconds = 10 if plan.quick else 60
    with contextlib.closing(Agent()) as side:
        time.sleep(10)
        memory = private_dirty(side.process.pid)
        before = cpu_ns(side.process.pid)
        time.sleep(seconds)
        spent = cpu_ns(side.process.pid) - before
        if not side.is_connected():
            raise RuntimeError("the agent lost its libvirt while it was measured")
    return [row("agent-memory", "MiB, with libvirt", memory / 2**20, goal="at most 12", most=12),
            row("agent-idle", "% of a core, with libvirt", spent / seconds / 1e7, goal="at most 0.1", most=0.1, raw={"seconds": seconds})]


def guest_xml(address):
    """What libvirt hands to the hook for a guest with one VF and one tap, as long as a small guest's really is (3 KB)."""
    _, bus, rest = address.split(":")
    filler = "".join(f"<controller type='pci' index='{i}' model='pcie-root-port'><target chassis='{i}' port='0x{i:x}'/></controller>"
                     for i in range(1, 20))
    return ("<domain type='kvm'><name>g1</name><uuid>0192f0a1-7c1e-7cc3-98c4-dc0c0c07398f</uuid><memory unit='KiB'>98304</memory>"
            "<vcpu>1</vcpu><os><type arch='x86_64' machine='pc-q35-10.0'>hvm</type></os><devices>" + filler +
            "<interface type='bridge'><mac address='52:54:00:00:00:01'/><source bridge='br0'/><model type='virtio'/>"
            "<alias name='ua-0192f0a1-7c1e-7cc3-98c4-dc0c0c073981'/></interface><hostdev mode='subsystem' type='pci' managed='yes'><source>"
            f"<address domain='0x0000' bus='0x{bus}' slot='0x{rest[:2]}' function='0x{rest[3:]}'/></source></hostdev></devices></domain>\n")


# What libvirt calls in a guest's life (libvirt 9.0 to 11.3).
HOOK_LIFE = (("prepare", "begin"), ("start", "begin"), ("started", "begin"), ("stopped", "end"), ("release", "end"))


def hook_lives(command, xml, count):
    """CPU of so many guests' lives in the hook, in ms a life."""
    def spent():
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return used.ru_utime + used.ru_stime
    before = spent()
    for _ in range(count):
        for operation, suboperation in HOOK_LIFE:
            done = subprocess.run([*command, "g1", operation, suboperation, "-"], input=xml, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                  check=False)
            if done.returncode or done.stdout or done.stderr:
                raise RuntimeError(f"the hook's {operation}: {done}")
    return (spent() - before) * 1e3 / count


def hook_life(plan):
    """CPU of the hook and the agent in a guest's whole life, beside a hook that is a shell script with /bin/true alone"""
    with contextlib.closing(Agent()) as side:
        conf, script = (os.path.join(side.scheduler.folder, name) for name in ("hook.conf", "true.sh"))
        with open(conf, "w", encoding="ascii") as file:
            file.write(f"[hook]\nsocket = {side.scheduler.folder}/hook.sock\nguarded = {side.scheduler.folder}/agent/guarded\n")
        with open(os.open(script, os.O_WRONLY | os.O_CREAT, 0o755), "w", encoding="ascii") as file:
            file.write("#!/bin/sh\nexec /bin/true\n")
        hook = [os.path.join(stage.BUILD, "bin", "sriov-hook"), "--config", conf]
        xml, lives, turns = guest_xml("0000:3b:10.0").encode(), 5 if plan.quick else 20, []
        for _ in range(plan.rounds):
            before = cpu_ns(side.process.pid)
            ours = hook_lives(hook, xml, lives)
            served = (cpu_ns(side.process.pid) - before) / 1e6 / lives
            turns.append({"hook": ours, "agent": served, "true": hook_lives([script], xml, lives)})
    total, bare = median(t["hook"] + t["agent"] for t in turns), median(t["true"] for t in turns)
    return [row("hook-life", "ms CPU", total, bare, raw={"turns": turns}),
            row("hook-life-added", "ms CPU", median(t["hook"] + t["agent"] - t["true"] for t in turns), goal="at most 50", most=50)]


class Beside:
    """A second client that runs while something else is measured."""

    def __init__(self, command, path=None):
        self.path = path
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    def end(self):
        out, _ = self.process.communicate(timeout=60)
        if self.process.returncode:
            raise RuntimeError(f"the client beside ended with {self.process.returncode}")
        result = json.loads(out.splitlines()[-1])
        if self.path:
            os.unlink(self.path)
            expect(result, 200)
        return result


def load_beside(ours, lines, connections, *options):
    path = stage.write_lines(lines)
    return Beside(stage.load_command(ours.address, path, connections, *options), path)


def trickle(ours, seconds):
    beside = Beside([stage.program("bench-client"), "--trickle", "1000", "--seconds", str(seconds), ours.address])
    beside.process.stdout.readline()  # all are connected
    return beside


def big_bodies(ours, seconds):
    """Dry runs of 64 KiB, exactly the limit, 160 a second."""
    body = '{"name":"big","vcpus":1,"memory_mib":512,"ports":[{}]}'
    line = f"POST /v1/vms?dry_run=true {ours.admin} " + body[:-1] + " " * (65536 - len(body)) + "}"
    return load_beside(ours, [line], 16, "--period-us", "100000", "--seconds", str(seconds))


def big_report(ours, seconds):
    """A report of nearly 8 MiB, the limit, each second."""
    lines = [ours.big_report(ours.next_sequence()) for _ in range(seconds)]
    return load_beside(ours, lines, 1, "--period-us", "1000000")


def burst(ours, seconds):
    """100 agents, all of which report at the same instant, each second."""
    lines = []
    for _ in range(seconds):
        sequence = ours.next_sequence()
        lines += [ours.report(i, sequence) for i in range(100)]
    return load_beside(ours, lines, 100, "--period-us", "1000000")


def slow_clients(plan):
    """p99 of a placement while others trickle, send bodies at the limit, report all at once, against the quiet p99"""
    kinds = {"slow-clients": trickle, "big-bodies": big_bodies, "big-report": big_report, "agents-at-once": burst}
    seconds = 3 if plan.quick else 5
    ours = Stage(201)
    ratios, p99, quiet_p99, raw = ({kind: [] for kind in kinds} for _ in range(4))

    def probe():
        # Four connections, 200 placements a second.
        result = load(ours.address, ours.claims(200 * (seconds - 1)), 4, "--period-us", "20000")
        expect(result, 201)
        return result

    claim_round(ours, ours.claims(500))
    for _ in range(1 if plan.quick else 3):
        for kind, start in kinds.items():
            quiet = probe()
            beside = start(ours, seconds)
            busy = probe()
            other = beside.end()
            ratios[kind].append(busy["p99_us"] / quiet["p99_us"])
            p99[kind].append(busy["p99_us"])
            quiet_p99[kind].append(quiet["p99_us"])
            raw[kind].append({"quiet": quiet, "busy": busy, "beside": other})
    ours.close()
    return [row(kind, "µs p99", median(p99[kind]), median(quiet_p99[kind]), "at most 2x", 2.0, ratios[kind], {"turns": raw[kind]})
            for kind in kinds]


ALL = {
    "claim": claim,
    "claim-10000": claim_10000,
    "refusal": refusal,
    "core": core,
    "slow-clients": slow_clients,
    "agent": agent,
    "hook-life": hook_life,
    "scheduler-memory": scheduler_memory,
}
