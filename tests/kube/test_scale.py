"""The daemon of a node of a large cluster: how long until its tables are complete, what that costs, and how soon a
change is in them. Only that all arrives is asserted; the figures are printed (pytest -s).

$STRATA_SCALE says how many IPInstances there are (3,000; the aim is 100,000), one NodeInfo for fifty of them, but 250 at least.
"""
import base64
import concurrent.futures
import contextlib
import http.client
import itertools
import json
import multiprocessing
import os
import pathlib
import random
import socket
import threading
import time
import uuid

import pytest

from lab import netns
from lab.apiserver import ETCD_PORT, PORT
from lab.node import CniError, VSWITCHD
from lab.shell import Process, run, wait_until
from nodetool import GROUP, add_node, subnet, upstream_ipinstance

N = int(os.environ.get("STRATA_SCALE", "3000"))
PODS_PER_NODE = 50
N_NODES = max(N // PODS_PER_NODE, 250)  # so many that the daemon asks for the IPInstances in parts
N_CHANGES = min(N, 2000)
N_WRITERS = 8
RATE = 1000  # changes a second
RATE_BATCH = 10  # of them at a time
RATE_ROUNDS = 3  # each is changed so often
BYTES_EACH = 2000  # resident memory of an IPInstance, a generous bound; the aim is 1,000
BYTES_BESIDE = 8_000_000  # of what grows in steps, whatever N is
BATCH = 100  # of etcd's 128 operations of a transaction


# ── Into etcd ──────────────────────────────────────────────────────────────────────────────────────


class Etcd:
    """Writes objects past the API server, which stores our kinds as JSON: a hundred times as fast."""

    def __init__(self, apiserver):
        self.ns = apiserver.ns

    def _connect(self):
        connection = http.client.HTTPConnection("127.0.0.1", ETCD_PORT)
        connection.sock = netns.connect(self.ns, "127.0.0.1", ETCD_PORT)
        connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # a request goes in two parts
        return connection

    @staticmethod
    def _post(connection, path, body):
        connection.request("POST", path, json.dumps(body))
        answer = connection.getresponse()
        text = answer.read()
        assert answer.status == 200, text
        return json.loads(text)

    def put(self, pairs, batch=BATCH, at=lambda n: None):
        """(key, object) pairs, all of them in the end: how many, with which revision, when, by batch. at(n) may wait
        before the n-th is sent."""
        pairs, done, n = iter(pairs), [], 0
        with contextlib.closing(self._connect()) as connection:
            while True:
                puts = [{"requestPut": {"key": _base64(key), "value": _base64(json.dumps(obj, separators=(",", ":")))}}
                        for key, obj in itertools.islice(pairs, batch)]
                if not puts:
                    return done
                at(n)
                answer = self._post(connection, "/v3/kv/txn", {"success": puts})
                done.append((len(puts), answer["header"]["revision"], time.monotonic()))
                n += len(puts)

    def delete(self, prefix):
        end = prefix[:-1] + chr(ord(prefix[-1]) + 1)
        with contextlib.closing(self._connect()) as connection:
            self._post(connection, "/v3/kv/deleterange", {"key": _base64(prefix), "range_end": _base64(end)})


def _base64(text):
    return base64.b64encode(text.encode()).decode()


REGISTRY = f"/registry/{GROUP}"


def stored(obj, i):
    """As the API server stores it, with what it and hybridnet's client note about fields."""
    meta = obj["metadata"]
    names = {f"f:{k}": {} for k in meta.get("labels", {})}
    meta.update({
        "uid": str(uuid.UUID(int=i + (1 << 100))), "generation": 1, "creationTimestamp": "2026-01-31T12:00:00Z",
        "managedFields": [{
            "manager": "manager", "operation": "Update", "apiVersion": f"{GROUP}/v1", "time": "2026-01-31T12:00:00Z",
            "fieldsType": "FieldsV1", "fieldsV1": {
                "f:metadata": {"f:finalizers": {".": {}, f'v:"{GROUP}/ip-allocated"': {}}, "f:labels": {".": {}, **names}},
                "f:spec": {".": {}, **{f"f:{k}": {".": {}} for k in obj["spec"]}}}}]})
    return obj


def node_name(i, round=0):
    """Whose pod it is; in each round of changes it moves on."""
    return f"scale-node-{(i // PODS_PER_NODE + round) % N_NODES}"


def nodeinfos():
    for n in range(N_NODES):
        name, ip = f"scale-node-{n}", f"10.88.{1 + n // 250}.{1 + n % 250}"
        yield f"{REGISTRY}/nodeinfoes/{name}", stored({
            "apiVersion": f"{GROUP}/v1", "kind": "NodeInfo", "metadata": {"name": name},
            "spec": {"vtepInfo": {"ip": ip, "mac": f"02:88:00:00:{n >> 8:02x}:{n & 255:02x}", "localIPs": [ip]}},
            "status": {"updateTimestamp": "2026-01-31T12:00:00Z"}}, n)


def namespace_of(i):
    """What is changed is in one namespace, to be watched alone."""
    return "scale-changed" if i < N_CHANGES else "default"


def instance_name(i):
    return f"100-{64 + (i >> 16)}-{i >> 8 & 255}-{i & 255}"


def ipinstances(numbers, round=0):
    for i in numbers:
        node = node_name(i, round)
        pod = {"metadata": {"name": f"web-{i}-7d4b9c", "namespace": namespace_of(i), "uid": str(uuid.UUID(int=i + (2 << 100)))}}
        obj = upstream_ipinstance(pod, instance_name(i).replace("-", "."), "network-0", "scale", 10, "100.64.0.1",
                                  f"02:12:34:{i >> 16:02x}:{i >> 8 & 255:02x}:{i & 255:02x}")
        obj["spec"]["binding"]["nodeName"] = obj["metadata"]["labels"][f"{GROUP}/node"] = node
        obj["status"] = {"nodeName": node, "podName": pod["metadata"]["name"], "podNamespace": namespace_of(i),
                         "sandboxID": uuid.UUID(int=i + (3 << 100)).hex * 2, "updateTimestamp": "2026-01-31T12:00:00Z"}
        yield f"{REGISTRY}/ipinstances/{namespace_of(i)}/{instance_name(i)}", stored(obj, i + (1 << 40))


# Addresses .0.0 to .0.9 are the Network's own.
NUMBERS = range(10, 10 + N)


# ── The daemon ─────────────────────────────────────────────────────────────────────────────────────


class Daemon:
    """One run of the daemon: what it took until all was there."""

    def __init__(self, node, n_instances=0):
        self.node, self.n_instances = node, n_instances
        path = node.directory / "vswitchd.yaml"
        path.write_text(json.dumps(node.configuration()))
        began = time.monotonic()
        node.process = Process.start([VSWITCHD, "--config", path], node.directory / "vswitchd.log", ns=node.ns, env=node.env)
        wait_until(self._complete, "the daemon has all", timeout=400)
        self.seconds = time.monotonic() - began
        self.processor = self.processor_time()
        self.memory = self._status("VmRSS")
        self.peak = self._status("VmHWM")

    def _complete(self):
        # What was written a moment ago may come by the watch after the list.
        assert self.node.process.alive(), self.node.log()[-3000:]
        try:
            self.node.cni("STATUS")
            return objects(self.node, "IPInstance") == self.n_instances
        except (CniError, OSError):
            time.sleep(0.1)
            return False

    def program(self):
        """The daemon's own process: ip netns exec becomes it."""
        return self.node.process.pid

    def processor_time(self):
        """Seconds of the control thread; the workers poll."""
        pid = self.program()
        fields = pathlib.Path(f"/proc/{pid}/task/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def _status(self, field):
        lines = pathlib.Path(f"/proc/{self.program()}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith(field + ":")) * 1024


@pytest.fixture(scope="module")
def etcd(apiserver, kube):
    etcd = Etcd(apiserver)
    yield etcd
    for kind in ("ipinstances", "nodeinfoes"):
        etcd.delete(f"{REGISTRY}/{kind}/")


@pytest.fixture(scope="module")
def filled(lab, apiserver, kube, etcd):
    """The daemon under a cluster of N addresses, and the same without them."""
    node = add_node(lab, apiserver, log={"level": "notice"}, metrics={"address": "127.0.0.1", "port": 9897})
    kube.post("/api/v1/namespaces", {"metadata": {"name": "scale-changed"}})
    kube.api.kubectl("delete subnet overlay4")
    kube.api.apply(subnet("scale", "network-0", "100.64.0.0/10", "100.64.0.1"))
    empty = Daemon(node)  # without any
    node.stop()
    began = time.monotonic()
    etcd.put(nodeinfos())
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        list(pool.map(etcd.put, (ipinstances(NUMBERS[k::4]) for k in range(4))))
    for i in NUMBERS[-4:]:
        path = f"/apis/{GROUP}/v1/namespaces/{namespace_of(i)}/ipinstances/{instance_name(i)}?resourceVersion=0"
        wait_until(lambda: kube.api.request("GET", path)[0] == 200, "the API server's cache has it", timeout=120)
    print(f"\nwritten in {time.monotonic() - began:.0f} s; the API server makes the list in {listing(apiserver):.1f} s when "
          f"it is asked for the first time, then in {listing(apiserver):.1f} s")
    full = Daemon(node, N)
    return empty, full


def listing(apiserver):
    """Seconds that curl takes for the list that the daemon asks for."""
    out = apiserver.run(["curl", "-sSf", "--compressed", "--cacert", apiserver.pki / "ca.crt", "-o", "/dev/null", "-w", "%{time_total}",
                         "-H", f"Authorization: Bearer {apiserver.tokens['admin']}",
                         f"https://127.0.0.1:{PORT}/apis/{GROUP}/v1/ipinstances?resourceVersion=0"])
    return float(out)


def objects(node, kind):
    text = run(["curl", "-sf", "http://127.0.0.1:9897/metrics"], ns=node.ns)
    line = next(line for line in text.splitlines() if line.startswith(f'strata_objects{{kind="{kind}"}}'))
    return int(line.split()[1])


def test_the_tables_of_a_large_cluster_are_complete(filled):
    empty, full = filled
    node, grown = full.node, full.memory - empty.memory
    print(f"\n{N} IPInstances: {full.seconds:.1f} s from start to complete, {full.processor - empty.processor:.2f} s of "
          f"processor time, {grown / 1e6:.1f} MB ({grown / N:.0f} bytes each; at most {(full.peak - empty.peak) / 1e6:.1f} MB "
          f"meanwhile); without them {empty.seconds:.1f} s, {empty.processor:.2f} s, {empty.memory / 1e6:.1f} MB")
    assert objects(node, "IPInstance") == N
    assert objects(node, "NodeInfo") >= N_NODES
    routes = [r for r in node.show("route") if r["kind"] == "remote-pod"]
    assert len(routes) == N, node.log()[-2000:]
    assert grown < N * BYTES_EACH + BYTES_BESIDE


# ── Changes ────────────────────────────────────────────────────────────────────────────────────────


class Watch:
    """Notes when each version of the namespace's IPInstances was in the tables: subscribers of the cache hear of
    a change after these."""

    def __init__(self, node, namespace):
        self.seen = {}
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(str(node.socket))
        self._socket.sendall(json.dumps({"get": "ipinstance", "namespace": namespace, "watch": True}).encode() + b"\n")
        self._lines = self._socket.makefile()
        self.n_first = len(json.loads(self._lines.readline())["items"])
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        for line in self._lines:
            now = time.monotonic()
            meta = json.loads(line)["object"]["metadata"]
            self.seen[meta["name"], meta.get("resourceVersion")] = now

    def close(self):
        self._socket.shutdown(socket.SHUT_RDWR)
        self._reader.join()
        self._socket.close()


def follow(full, numbers, write):
    """Has write change each IPInstance, and says how soon that was in the tables: it returns when which version of
    which was answered."""
    watch = Watch(full.node, "scale-changed")
    assert watch.n_first == N_CHANGES - 10
    before, began = full.processor_time(), time.monotonic()
    answered = write(numbers)
    seconds = time.monotonic() - began
    last = dict(answered.keys())  # of a version that another one follows soon nobody need be told
    wait_until(lambda: last.items() <= watch.seen.keys(), "every change in the tables", timeout=60)
    used = full.processor_time() - before
    watch.close()
    delays = sorted(1000 * (watch.seen[key] - at) for key, at in answered.items() if key in watch.seen)
    return (f"{len(delays)} of {len(answered)} changes at {len(answered) / seconds:.0f}/s, in the tables after the answer: median "
            f"{delays[len(delays) // 2]:.1f} ms, p99 {delays[len(delays) * 99 // 100]:.1f} ms, longest {delays[-1]:.1f} ms; "
            f"{1e6 * used / len(delays):.0f} us of processor time each")


@pytest.fixture
def numbers():
    """Of those that are changed, in another order."""
    shuffled = list(range(10, N_CHANGES))
    random.Random(1).shuffle(shuffled)
    return shuffled


def change(api, numbers):
    """Moves each to another node: when which version of which was answered."""
    client, answered = api.client(), {}
    for i in numbers:
        path = f"/apis/{GROUP}/v1/namespaces/{namespace_of(i)}/ipinstances/{instance_name(i)}"
        status, obj = client.request("PATCH", path, {"spec": {"binding": {"nodeName": node_name(i, 1)}}}, "application/merge-patch+json")
        assert status == 200, obj
        answered[obj["metadata"]["name"], obj["metadata"]["resourceVersion"]] = time.monotonic()
    return answered


def test_changes_are_in_the_tables_soon(filled, kube, numbers):
    def write(numbers):
        answered = {}
        with concurrent.futures.ThreadPoolExecutor(N_WRITERS) as pool:
            for part in pool.map(lambda k: change(kube.api, numbers[k::N_WRITERS]), range(N_WRITERS)):
                answered.update(part)
        return answered

    print(f"\nas fast as the API server takes them: {follow(filled[1], numbers, write)}")


def pace():
    """Begins now: a function that waits for the n-th change's time."""
    began = time.monotonic()
    return lambda n: time.sleep(max(0, began + n / RATE - time.monotonic()))


def put_at_rate(etcd, numbers):
    rounds = (ipinstances(numbers, 2 + k) for k in range(RATE_ROUNDS))
    done = etcd.put(itertools.chain.from_iterable(rounds), RATE_BATCH, pace())
    revisions = itertools.chain.from_iterable([(revision, at)] * n for n, revision, at in done)
    return {(instance_name(i), revision): at for i, (revision, at) in zip(numbers * RATE_ROUNDS, revisions)}


def test_a_thousand_changes_a_second_are_followed(filled, etcd, numbers):
    """More than this machine's API server can be made to write: written by another process past it, so that it only has
    to tell of them."""
    with multiprocessing.get_context("fork").Pool(1) as pool:
        print(f"\ninto etcd: {follow(filled[1], numbers, lambda numbers: pool.apply(put_at_rate, (etcd, numbers)))}")
