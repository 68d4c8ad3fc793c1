"""Pods come and go by the dozen: kubelet and containerd make them on both nodes, overlay and underlay, both families,
and when they are gone nothing of them is left: no address, no link, no socket, no route.

How many and how fast is up to the environment; it prints where the time went, and asserts none of it:

    STRATA_CHURN_PODS=100 STRATA_CHURN_ROUNDS=3 STRATA_CHURN_PACE=2 pytest -s tests/kube/test_cluster_churn.py
"""
import collections
import itertools
import math
import os
import pathlib
import re
import threading
import time

import pytest
from pods import pod

from lab.apiserver import GROUP
from lab.shell import CommandError, wait_until
from lab.watch import Watch

PODS = int(os.environ.get("STRATA_CHURN_PODS", "24"))
ROUNDS = int(os.environ.get("STRATA_CHURN_ROUNDS", "1"))
PACE = float(os.environ.get("STRATA_CHURN_PACE", "2"))  # pods that are created, per second
SPARE = 4  # underlay addresses that no pod of a round has: one leaked in each round would be missed in the next
SUBNETS = ("churn-4", "churn-6", "churn-overlay-6")
NETWORKS = f"""
apiVersion: networking.alibaba.com/v1
kind: Network
metadata: {{name: churn}}
spec: {{type: Underlay, netID: 56, nodeSelector: {{churn: "yes"}}}}
---
apiVersion: networking.alibaba.com/v1
kind: Subnet
metadata: {{name: churn-4}}
spec: {{network: churn, range: {{version: "4", cidr: 10.59.0.0/20, gateway: 10.59.15.254, start: 10.59.1.0,
  end: 10.59.{1 + (PODS // 2 + SPARE) // 256}.{(PODS // 2 + SPARE) % 256}}}}}
---
apiVersion: networking.alibaba.com/v1
kind: Subnet
metadata: {{name: churn-6}}
spec: {{network: churn, range: {{version: "6", cidr: "fd00:59::/64", gateway: "fd00:59::fe", start: "fd00:59::1000",
  end: "fd00:59::{0x1000 + PODS // 2 + SPARE:x}"}}}}
---
apiVersion: networking.alibaba.com/v1
kind: Subnet
metadata: {{name: churn-overlay-6}}
spec: {{network: network-0, range: {{version: "6", cidr: "fd00:67::/64"}}}}
"""
PODS_PATH = "/api/v1/namespaces/default/pods"
MARKS_PATH = "/api/v1/namespaces/default/configmaps"
INSTANCES_PATH = f"/apis/{GROUP}/v1/ipinstances"
SERIES = re.compile(r'^(\w+)(?:\{(.*)\})? (\S+)$', re.M)


@pytest.fixture(scope="module", autouse=True)
def networks(cluster):
    cluster.fabric.add_gateway("gw-churn", 56, ["10.59.15.254/20", "fd00:59::fe/64"])
    cluster.kubectl("label node n1 n2 churn=yes")
    wait_until(lambda: "network-0" in cluster.kubectl("get network"), "the default Network", timeout=60)
    cluster.api.apply(NETWORKS)
    wait_until(lambda: cluster.api.get(f"/apis/{GROUP}/v1/networks/churn").get("status", {}).get("nodeList") == ["n1", "n2"],
               "the Network's nodes", timeout=60)
    wait_until(lambda: all(usage(cluster).get(name, {}).get("total") for name in SUBNETS), "the Subnets' statuses", timeout=60)
    yield
    cluster.kubectl("delete subnet " + " ".join(SUBNETS))
    cluster.kubectl("delete network churn")
    cluster.kubectl("label node n1 n2 churn-")


# ── what a node and the API have ─────────────────────────────────────────────────────────────────


def usage(cluster):
    return {s["metadata"]["name"]: {k: s.get("status", {}).get(k) for k in ("total", "used", "available")}
            for s in cluster.api.objects("subnets")}


def daemon_of(node):
    """The process id of the node's daemon."""
    net = os.stat(f"/run/netns/{node.ns}").st_ino
    for proc in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            if (proc / "comm").read_text().strip() == "strata-vswitchd" and os.stat(proc / "ns/net").st_ino == net:
                return proc
        except (FileNotFoundError, ProcessLookupError):
            continue
    raise AssertionError(f"no daemon on {node.name}")


def belongings(cluster, name):
    """All that pods have on a node."""
    node = cluster.nodes[name]
    # Neighbours are learned, and forgotten in their own time.
    routes = [f"{r['kind']} {r['address']}" for r in cluster.show(name, "route") if r["kind"] != "neighbour"]
    return {
        "links": sorted(line.split()[0] for line in node.run("ip -br link").splitlines()),
        "routes of the kernel": sorted(node.run("ip route show table all").splitlines()),
        "IPv6 routes of the kernel": sorted(node.run("ip -6 route show table all").splitlines()),
        "network namespaces": sorted(node.run("ls /run/netns").split()),
        "attachments": sorted(f.name for f in (node.directory / "lib-strata").glob("attachments/*")),
        "AF_XDP sockets": len(set(re.findall(r"socket:\[\d+\]", (daemon_of(node) / "maps").read_text()))),
        "ports": sorted(p["name"] for p in cluster.show(name, "port")),
        "routes of the switch": sorted(routes),
    }


def of_api(cluster):
    return {"usage": usage(cluster), "IPInstances": sorted(i["metadata"]["name"] for i in cluster.api.objects("ipinstances"))}


def everything(cluster):
    return {"API": of_api(cluster), **{name: belongings(cluster, name) for name in cluster.nodes}}


def strangers(cluster):
    """What pods that are gone or going still have, those of tests before this one: kubelet ends sandboxes in its own time."""
    pods = {f"{p['metadata']['namespace']}/{p['metadata']['name']}" for p in cluster.pods()
            if "deletionTimestamp" not in p["metadata"]}
    out = []
    for name, node in cluster.nodes.items():
        ports = [p["name"] for p in cluster.show(name, "port") if p["kind"] == "pod"]
        namespaces = [n for n in node.run("ls /run/netns").split() if n.startswith("cni-")]
        out += [port for port in ports if port.rsplit("/", 1)[0] not in pods]
        if len(namespaces) != len(ports):
            out.append(f"{name}: {len(namespaces)} network namespaces for {len(ports)} ports")
    return out


def differences(before, after):
    """What is there too much, or is missing, and where."""
    out = []
    for place, things in before.items():
        for what, was in things.items():
            now = after[place][what]
            if now != was:
                odd = sorted(set(map(str, now)) ^ set(map(str, was))) if isinstance(was, list) else f"{was} -> {now}"
                out.append(f"{place}: {what}: {odd}")
    return out


# ── times ────────────────────────────────────────────────────────────────────────────────────────


class Stopwatch:
    """When the watches showed what, by the pod's uid."""

    def __init__(self):
        self.scheduled, self.addressed, self.ready = {}, {}, {}
        self._instances = collections.Counter()
        self.marks = {}  # name of an empty object -> when it was seen

    def pod(self, at, kind, obj):
        uid = obj["metadata"]["uid"]
        if obj["spec"].get("nodeName"):
            self.scheduled.setdefault(uid, at)
        if any(c["type"] == "Ready" and c["status"] == "True" for c in obj.get("status", {}).get("conditions", [])):
            self.ready.setdefault(uid, at)

    def instance(self, at, kind, obj):
        if kind != "ADDED":
            return
        uid = obj["spec"]["binding"].get("podUID")
        self._instances[uid] += 1
        if self._instances[uid] == 2:
            self.addressed[uid] = at

    def mark(self, at, kind, obj):
        if kind == "ADDED":
            self.marks.setdefault(obj["metadata"]["name"], at)


class Floor:
    """How long an object without meaning takes from its creation to its watch, at the same time."""

    def __init__(self, api, stopwatch):
        self.api, self.stopwatch = api, stopwatch
        self.created = {}
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def _work(self):
        connection = self.api.connection()
        headers = {"Authorization": f"Bearer {self.api.tokens['admin']}", "Content-Type": "application/json"}
        for i in itertools.count():
            if self._end.wait(0.25):
                break
            name = f"churn-mark-{i}"
            self.created[name] = time.monotonic()
            connection.request("POST", MARKS_PATH, f'{{"metadata": {{"name": "{name}"}}}}', headers)
            connection.getresponse().read()
            connection.request("DELETE", f"{MARKS_PATH}/{name}", headers=headers)
            connection.getresponse().read()
        connection.close()

    def __exit__(self, *_):
        self._end.set()
        self._thread.join(timeout=60)

    def times(self):
        return [self.stopwatch.marks[n] - at for n, at in list(self.created.items()) if n in self.stopwatch.marks]


def percentile(values, p):
    values = sorted(values)
    return values[max(0, math.ceil(len(values) * p / 100) - 1)] if values else math.nan


def report(name, seconds):
    print(f"  {name:48} p50 {percentile(seconds, 50) * 1000:7.0f}  p99 {percentile(seconds, 99) * 1000:7.0f} ms  ({len(seconds)})")


HISTOGRAMS = {  # what is printed → metric, its labels
    "ADD, the daemon's own part": ("strata_cni_add_own_duration_seconds", ""),
    "ADD as a whole": ("strata_cni_duration_seconds", 'command="ADD"'),
    "DEL as a whole": ("strata_cni_duration_seconds", 'command="DEL"'),
}


def buckets(cluster, metric, wanted):
    """{upper bound: how many} of a histogram, of both nodes together."""
    out = collections.Counter()
    for node in cluster.nodes.values():
        for name, labels, value in SERIES.findall(node.run("curl -sf http://127.0.0.1:9897/metrics")):
            if name == f"{metric}_bucket" and wanted in labels:
                out[float(re.search(r'le="([^"]+)"', labels).group(1))] += int(float(value))
    return out


def quantile(counts, q):
    """As Prometheus' histogram_quantile: linear between a bucket's bounds."""
    bounds = sorted(counts)
    rank = q * counts[bounds[-1]]
    below, lower = 0, 0.0
    for bound in bounds:
        if counts[bound] >= rank and counts[bound] > below:
            return lower if math.isinf(bound) else lower + (bound - lower) * (rank - below) / (counts[bound] - below)
        below, lower = counts[bound], bound
    return math.nan


# ── the test ─────────────────────────────────────────────────────────────────────────────────────


def create(cluster, names):
    """Pods of all four kinds, one after the other."""
    next_at = time.monotonic()
    for i, name in enumerate(names):
        time.sleep(max(0.0, next_at - time.monotonic()))
        next_at += 1 / PACE
        obj = pod(name, f"n{1 + i // 2 % 2}", ("Overlay", "Underlay")[i % 2], "DualStack", labels={"churn": "yes"})
        # As short as a pod of today may have: with 0 the API server of the tests forgets a pod that still runs.
        obj["spec"]["terminationGracePeriodSeconds"] = 1
        status, answer = cluster.api.request("POST", PODS_PATH, obj)
        assert status == 201, answer


def wait_gone(cluster, before):
    """Until nothing is left; how long the pods took, and the rest."""
    began = time.monotonic()
    wait_until(lambda: not cluster.pods(selector="churn=yes"), "the pods to go", timeout=60 + 2 * PODS, interval=0.5)
    pods_gone = time.monotonic()
    try:
        # A sandbox that kubelet has lost sight of goes with its garbage collection, once a minute.
        wait_until(lambda: everything(cluster) == before, "nothing left", timeout=150, interval=1)
    except CommandError:
        pass  # what is left says more
    assert differences(before, everything(cluster)) == []
    return pods_gone - began, time.monotonic() - pods_gone


def check_addresses(cluster):
    instances = cluster.api.objects("ipinstances")
    addresses = [i["spec"]["address"]["ip"].split("/")[0] for i in instances]
    assert [a for a, n in collections.Counter(addresses).items() if n > 1] == [], "addresses that are given twice"
    pods = cluster.pods(selector="churn=yes")
    for p in pods:
        uid = p["metadata"]["uid"]
        own = {i["spec"]["address"]["ip"].split("/")[0] for i in instances if i["spec"]["binding"].get("podUID") == uid}
        assert len(own) == 2 and {ip["ip"] for ip in p["status"]["podIPs"]} == own, p["metadata"]["name"]
    return [ip["ip"] for p in pods for ip in p["status"]["podIPs"]]


def unreached(cluster, name, addresses):
    """Those that do not answer the pod."""
    command = "for a in %s; do ping -c 1 -W 2 $a >/dev/null || ping -c 1 -W 3 $a >/dev/null || echo $a; done"
    return cluster.exec(name, ["sh", "-c", command % " ".join(addresses)], timeout=120).split()


def one_round(cluster, names):
    began = time.monotonic()
    create(cluster, names)
    cluster.wait_pods(names, timeout=120 + 3 * PODS)
    took = time.monotonic() - began
    assert unreached(cluster, names[0], check_addresses(cluster)) == []
    began = time.monotonic()
    for name in names:
        status, answer = cluster.api.request("DELETE", f"{PODS_PATH}/{name}")
        assert status == 200, answer
    asked = time.monotonic() - began
    return took, asked


def report_all(cluster, stopwatch, floor, counted):
    """Of all rounds so far."""
    report("scheduled -> both IPInstances visible", [at - stopwatch.scheduled[u] for u, at in list(stopwatch.addressed.items())
                                                     if u in stopwatch.scheduled])
    report("  beside it: an empty object, create -> watch", floor.times())
    report("scheduled -> Ready", [at - stopwatch.scheduled[u] for u, at in list(stopwatch.ready.items())])
    for what, series in HISTOGRAMS.items():
        counts = buckets(cluster, *series)
        counts.subtract(counted[what])
        print(f"  {what:48} p50 {quantile(counts, 0.5) * 1000:7.1f}  p99 {quantile(counts, 0.99) * 1000:7.1f} ms  "
              f"({counts[math.inf]}, by buckets)")


def test_pods_that_come_and_go_leave_nothing(cluster):
    wait_until(lambda: strangers(cluster) == [], lambda: str(strangers(cluster)), timeout=150, interval=1)
    before = everything(cluster)
    stopwatch = Stopwatch()
    counted = {what: buckets(cluster, *series) for what, series in HISTOGRAMS.items()}
    with Watch(cluster.api, PODS_PATH, stopwatch.pod) as pods, Watch(cluster.api, INSTANCES_PATH, stopwatch.instance) as instances, \
            Watch(cluster.api, MARKS_PATH, stopwatch.mark) as marks, Floor(cluster.api, stopwatch) as floor:
        for number in range(ROUNDS):
            names = [f"churn-{number}-{i}" for i in range(PODS)]
            took, asked = one_round(cluster, names)
            pods_gone, rest_gone = wait_gone(cluster, before)
            print(f"round {number + 1}: {PODS} pods Ready after {took:.1f} s, deletions answered in {asked:.1f} s, "
                  f"pods gone {pods_gone:.1f} s later, and nothing of them left another {rest_gone:.1f} s later")
            report_all(cluster, stopwatch, floor, counted)
    assert [w.failure for w in (pods, instances, marks) if w.failure] == []
    assert len(stopwatch.addressed) >= ROUNDS * PODS
