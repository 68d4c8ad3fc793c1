"""What the manager's tests share: strata-manager in the API server's namespace, objects, and the
state of addresses as the API server has it."""
import collections
import contextlib
import ipaddress
import itertools
import os
import pathlib
import re

from lab.shell import CommandError, wait_until

BUILD = pathlib.Path(os.environ.get("STRATA_BUILD", pathlib.Path(__file__).resolve().parents[2] / "build"))
MANIFEST = pathlib.Path(__file__).resolve().parents[2] / "config/manifests/strata.yaml"
PROGRAM = BUILD / "ctrl/manager/strata-manager"

GROUP = "networking.alibaba.com"
OURS = f"/apis/{GROUP}/v1"
PREFIX = f"{GROUP}/"
FINALIZER = PREFIX + "ip-allocated"
MERGE = "application/merge-patch+json"
LEASE = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/strata-manager"
DEFAULT_OVERLAY = {"DEFAULT_NETWORK_TYPE": "Overlay"}
FAST = ("--leader-elect-lease-duration=8s", "--leader-elect-renew-deadline=6s", "--leader-elect-retry-period=500ms")


# ── objects ───────────────────────────────────────────────────────────────────────────────────────

def network(name, spec):
    return {"apiVersion": f"{GROUP}/v1", "kind": "Network", "metadata": {"name": name}, "spec": spec}


def subnet(name, net, cidr, **more):
    """more: fields of spec.range, and `config`, `netID` of spec."""
    spec = {"network": net, "range": {"version": "6" if ":" in cidr else "4", "cidr": cidr}}
    for key, value in more.items():
        (spec if key in ("config", "netID") else spec["range"])[key] = value
    return {"apiVersion": f"{GROUP}/v1", "kind": "Subnet", "metadata": {"name": name}, "spec": spec}


def node(name, **labels):
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": labels}}


def annotated(**values):
    return {PREFIX + key.replace("_", "-"): value for key, value in values.items()}


STATEFUL_SET = [{"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "web", "uid": "11111111-2222-3333-4444-555555555555",
                 "controller": True}]


def pod(namespace, name, on="node1", owners=None, annotations=None, labels=None, **spec):
    return {"apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": name, "namespace": namespace, "annotations": annotations or {}, "labels": labels or {},
                         **({"ownerReferences": owners} if owners else {})},
            "spec": {**({"nodeName": on} if on else {}), "containers": [{"name": "c", "image": "i"}],
                     "automountServiceAccountToken": False, **spec}}


# ── the program ───────────────────────────────────────────────────────────────────────────────────

class Manager:
    """A strata-manager with the rights that config/ gives it."""
    numbers = itertools.count()

    def __init__(self, world, *flags, env=None, kubeconfig=None):
        self.name = f"manager{os.getpid()}-{next(Manager.numbers)}"
        self.api, self.port = world.api, 20000 + next(Manager.numbers)
        self.process = self.api.spawn(
            [PROGRAM, f"--kubeconfig={kubeconfig or world.kubeconfig}", "--namespace=kube-system",
             f"--metrics-port={self.port}", "--webhook-port=0", f"--leader-elect-identity={self.name}", *flags],
            self.name, env=env)

    def stop(self):
        self.process.stop()

    def kill(self):
        self.process.kill()

    def leads(self):
        status, lease = self.api.request("GET", LEASE)
        return status == 200 and (lease["spec"].get("holderIdentity") or "").startswith(self.name + "_")

    def wait_leading(self):
        wait_until(self.leads, lambda: f"{self.name} leads:\n{self.process.log_text()[-3000:]}", timeout=60)
        wait_until(lambda: self.metric("strata_manager_leader") == 1, f"{self.name} has taken over", timeout=60)
        return self

    def http(self, path):
        return self.api.run(["curl", "-s", "-w", "\n%{http_code}", f"http://127.0.0.1:{self.port}{path}"], check=False)

    def metric(self, name, **labels):
        """A series' value, None if there is none."""
        for line in self.http("/metrics").splitlines():
            found = re.fullmatch(r"(\w+)(?:\{(.*)\})? (\S+)", line)
            if found and found[1] == name and dict(re.findall(r'(\w+)="([^"]*)"', found[2] or "")) == labels:
                return float(found[3])
        return None


# ── the cluster's state ───────────────────────────────────────────────────────────────────────────

@contextlib.contextmanager
def managed(api, *objects, spaces=(), managers=1, flags=(), env=None):
    """An API server with these objects alone and Namespaces of these names, and a manager that leads: a World.
    Nothing of them is left, and the managers have ended well."""
    world = World(api)
    api.wipe()
    for obj in objects:
        world.post(obj)
    for name in spaces:
        world.namespace(name)
    try:
        for _ in range(managers):
            world.start(*flags, env=env).wait_leading()
        yield world
    finally:
        world.end()
        api.wipe()
        for obj in objects:
            if obj["kind"] == "Node":
                api.request("DELETE", f"/api/v1/nodes/{obj['metadata']['name']}")


class World:
    """The API server as the tests see it."""

    def __init__(self, api):
        self.api = api
        self.managers = []
        documents = re.split(r"^---$", MANIFEST.read_text(), flags=re.M)
        rights = [d for d in documents if re.search(r"^kind: (Cluster)?Role(Binding)?$", d, re.M)
                  and re.search(r"^  name: strata-manager$", d, re.M)]
        assert len(rights) == 4
        api.apply(*rights)
        self.kubeconfig = api.write_kubeconfig(
            api.directory / "manager.kubeconfig", api.token("strata-manager", seconds=24 * 3600))

    def start(self, *flags, **options):
        manager = Manager(self, *flags, **options)
        self.managers.append(manager)
        return manager

    def end(self):
        """Ends the managers; each must end well by itself."""
        managers, self.managers = self.managers, []
        logs = []
        for manager in managers:
            if manager.process.alive():
                manager.stop()
            logs.append(manager.process.log_text())
        assert not any("Sanitizer" in log or "runtime error" in log for log in logs), "\n".join(logs)

    # what the tests do

    def post(self, obj):
        meta, plural = obj["metadata"], {"Network": "networks", "Subnet": "subnets"}.get(obj["kind"], obj["kind"].lower() + "s")
        base = "/api/v1" if obj["apiVersion"] == "v1" else f"/apis/{obj['apiVersion']}"
        inside = f"/namespaces/{meta['namespace']}" if "namespace" in meta else ""
        status, answer = self.api.request("POST", f"{base}{inside}/{plural}", obj)
        if status != 201:
            raise CommandError(f"{obj['kind']} {meta['name']}: {status} {answer}")
        return answer

    def namespace(self, name, **metadata):
        status, answer = self.api.request("POST", "/api/v1/namespaces", {"metadata": {"name": name, **metadata}})
        if status == 409:
            status, answer = self.api.request("PATCH", f"/api/v1/namespaces/{name}", {"metadata": metadata}, MERGE)
        assert status in (200, 201), answer
        return name

    def patch(self, path, change):
        status, answer = self.api.request("PATCH", path, change, MERGE)
        if status != 200:
            raise CommandError(f"PATCH {path}: {status} {answer}")
        return answer

    def set_status(self, p, **status):
        meta = p["metadata"]
        return self.patch(f"/api/v1/namespaces/{meta['namespace']}/pods/{meta['name']}/status", {"status": status})

    def set_sandbox(self, instance, sandbox):
        """What a node's daemon writes at ADD, and takes away (None) at DEL."""
        meta = instance["metadata"]
        return self.patch(f"{OURS}/namespaces/{meta['namespace']}/ipinstances/{meta['name']}/status", {"status": {"sandboxID": sandbox}})

    def delete_pod(self, namespace, name, grace=0):
        self.api.request("DELETE", f"/api/v1/namespaces/{namespace}/pods/{name}?gracePeriodSeconds={grace}")

    def pod(self, namespace, name):
        status, answer = self.api.request("GET", f"/api/v1/namespaces/{namespace}/pods/{name}")
        return answer if status == 200 else None

    def wait_pod_gone(self, namespace, name):
        wait_until(lambda: self.pod(namespace, name) is None, lambda: f"{namespace}/{name} is gone: {self.pod(namespace, name)}")

    # addresses

    def instances(self, namespace=None):
        return self.api.objects("ipinstances", namespace)

    def of_pod(self, namespace, name):
        return sorted((i for i in self.instances(namespace) if i["spec"]["binding"].get("podName") == name),
                      key=lambda i: i["spec"]["address"]["version"])

    def wait_bound(self, p, n=1):
        """The IPInstances of a pod, once there are n and all are its own."""
        meta, found = p["metadata"], []

        def bound():
            found[:] = self.of_pod(meta["namespace"], meta["name"])
            return len(found) == n and all(i["spec"]["binding"].get("podUID") == meta["uid"]
                                           and "deletionTimestamp" not in i["metadata"] for i in found)

        wait_until(bound, lambda: f"{n} addresses of {meta['name']}: {found}\n{self.events(p)}\n{self.logs()}")
        return found

    def create(self, *arguments, n=1, **options):
        """Creates a pod and waits for its addresses: (pod, IPInstances)."""
        p = self.post(pod(*arguments, **options))
        return p, self.wait_bound(p, n)

    def wait_reserved(self, namespace, name, n=1):
        def reserved():
            found = self.of_pod(namespace, name)
            return len(found) == n and all(not i["spec"]["binding"].get("nodeName")
                                           and not i["spec"]["binding"].get("podUID") for i in found) and found

        return wait_until(reserved, lambda: f"{name} is reserved: {self.of_pod(namespace, name)}\n{self.logs()}")

    def wait_free(self, namespace):
        wait_until(lambda: self.instances(namespace) == [], lambda: f"{self.instances(namespace)}\n{self.logs()}")

    def events(self, p):
        """(type, reason, message) of what was said of an object."""
        meta = p["metadata"]
        namespace = meta.get("namespace", "default")
        items = self.api.get(f"/api/v1/namespaces/{namespace}/events")["items"]
        return [(e["type"], e["reason"], e["message"]) for e in items
                if e["involvedObject"]["name"] == meta["name"] and e["involvedObject"].get("uid") in (meta["uid"], "", None)]

    def wait_event(self, p, reason, message):
        wait_until(lambda: any(r == reason and m == message for _, r, m in self.events(p)),
                   lambda: f"{reason} {message!r} in {self.events(p)}\n{self.logs()}")

    def logs(self):
        return "\n".join(m.process.log_text()[-2000:] for m in self.managers)

    def status(self, plural, name):
        return self.api.get(f"{OURS}/{plural}/{name}").get("status", {})

    def wait_status(self, plural, name, **want):
        wait_until(lambda: all(self.status(plural, name).get(k) == v for k, v in want.items()),
                   lambda: f"{name} has {want}: {self.status(plural, name)}\n{self.logs()}")

    def labels(self, name):
        """The manager's labels of a Node, without their prefix."""
        labels = self.api.get(f"/api/v1/nodes/{name}")["metadata"].get("labels", {})
        return {k.removeprefix(PREFIX): v for k, v in labels.items() if k.startswith(PREFIX)}

    def wait_labels(self, name, **want):
        want = {k.replace("_", "-"): v for k, v in want.items()}
        wait_until(lambda: self.labels(name) == want, lambda: f"{name} has {want}: {self.labels(name)}\n{self.logs()}")

    def remove(self, plural, name):
        self.api.request("DELETE", f"{OURS}/{plural}/{name}")

    def clear(self, namespace):
        """Takes all pods and addresses out of it, whatever holds them."""
        for p in self.api.get(f"/api/v1/namespaces/{namespace}/pods")["items"]:
            self.patch(f"/api/v1/namespaces/{namespace}/pods/{p['metadata']['name']}", {"metadata": {"finalizers": None}})
            self.delete_pod(namespace, p["metadata"]["name"])
        for i in self.instances(namespace):
            self.api.request("DELETE", f"{OURS}/namespaces/{namespace}/ipinstances/{i['metadata']['name']}")
        self.wait_free(namespace)

    # what must hold

    def doubled(self):
        """Addresses that more than one IPInstance has."""
        owners = collections.defaultdict(list)
        for i in self.instances():
            ip = ipaddress.ip_interface(i["spec"]["address"]["ip"]).ip
            owners[ip].append(f"{i['metadata']['namespace']}/{i['metadata']['name']}")
        return {str(ip): names for ip, names in owners.items() if len(names) > 1}
