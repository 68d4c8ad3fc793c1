"""For tests of a node's daemon under a real API server: the objects as hybridnet's manager writes them, and pods
whose wishes are in the API.
"""
import ipaddress
import itertools
import pathlib

from lab.pod import Pod
from lab.shell import run, wait_until

GROUP = "networking.alibaba.com"
MANIFEST = pathlib.Path(__file__).resolve().parents[2] / "config/manifests/strata.yaml"
NODE = "node-n1"
ACCOUNT = "node-test"

_addresses = itertools.count(10)


def network(name, **spec):
    return {"apiVersion": f"{GROUP}/v1", "kind": "Network", "metadata": {"name": name}, "spec": spec}


def subnet(name, parent, cidr, gateway, **more):
    return {"apiVersion": f"{GROUP}/v1", "kind": "Subnet", "metadata": {"name": name},
            "spec": {"network": parent, "range": {"version": "6" if ":" in cidr else "4", "cidr": cidr, "gateway": gateway},
                     **more}}


def upstream_ipinstance(pod, ip, net, sub, prefix, gateway, mac):
    """All that hybridnet's manager writes (its model v1.2)."""
    meta = pod["metadata"]
    label = f"{GROUP}/"
    return {
        "apiVersion": f"{GROUP}/v1", "kind": "IPInstance",
        "metadata": {
            "name": ip.replace(".", "-") if ":" not in ip else "-".join(expand(ip)), "namespace": meta["namespace"],
            "finalizers": [f"{GROUP}/ip-allocated"],
            "labels": {label + "version": "v1.2", label + "subnet": sub, label + "network": net, label + "node": NODE,
                       label + "pod": meta["name"], label + "pod-uid": meta["uid"]},
            "ownerReferences": [{"apiVersion": "v1", "kind": "Pod", "name": meta["name"], "uid": meta["uid"],
                                 "controller": True, "blockOwnerDeletion": False}]},
        "spec": {"network": net, "subnet": sub,
                 "address": {"version": "6" if ":" in ip else "4", "ip": f"{ip}/{prefix}", "gateway": gateway, "netID": 4,
                             "mac": mac},
                 "binding": {"referredObject": {"kind": "Pod", "name": meta["name"], "uid": meta["uid"]},
                             "nodeName": NODE, "podUID": meta["uid"], "podName": meta["name"]}}}


def expand(ip):
    return [f"{int(g, 16):x}" for g in ipaddress.ip_address(ip).exploded.split(":")]


class Kube:
    """What the test writes into the API, and reads from it."""

    def __init__(self, apiserver):
        self.api = apiserver

    def post(self, path, obj):
        status, answer = self.api.request("POST", path, obj)
        assert status == 201, answer
        return answer

    def pod(self, name, namespace="default", handled=True, **annotations):
        """A scheduled Pod as the mutating webhook leaves it (handled), or without its mark."""
        marks = {f"{GROUP}/{k.replace('_', '-')}": v for k, v in annotations.items()}
        if handled:
            marks[f"{GROUP}/handled-by-webhook"] = "true"
        return self.post(f"/api/v1/namespaces/{namespace}/pods", {
            "metadata": {"name": name, "namespace": namespace, "annotations": marks},
            "spec": {"nodeName": NODE, "automountServiceAccountToken": False,
                     "containers": [{"name": "c", "image": "i"}]}})

    def ipinstance(self, pod, ip=None, **changes):
        n = next(_addresses)
        ip = ip or f"100.64.0.{n}"
        six = ":" in ip
        obj = upstream_ipinstance(pod, ip, "network-0", "overlay6" if six else "overlay4", 64 if six else 16,
                                  "fd00:64::1" if six else "100.64.0.1", f"02:12:34:00:00:{n:02x}")
        obj["spec"]["address"].update(changes)
        return self.post(f"/apis/{GROUP}/v1/namespaces/{pod['metadata']['namespace']}/ipinstances", obj)

    def status_of(self, instance):
        meta = instance["metadata"]
        found = self.api.get(f"/apis/{GROUP}/v1/namespaces/{meta['namespace']}/ipinstances/{meta['name']}")
        return found.get("status", {})

    def conditions_of(self, instance):
        return {c["type"]: c for c in self.status_of(instance).get("conditions", [])}

    def events_of(self, name, namespace="default"):
        events = self.api.get(f"/api/v1/namespaces/{namespace}/events")["items"]
        return [e for e in events if e["involvedObject"]["name"] == name]


def add_node(lab, apiserver, **settings):
    """The node of NODE, whose daemon is not started yet; settings are laid over its configuration."""
    kubeconfig = apiserver.write_kubeconfig(lab.directory / "node.kubeconfig", apiserver.token(ACCOUNT))
    node = lab.add_node("n1", start=False, addresses=["10.88.0.1/24"], env={"KUBE_NODE_NAME": NODE},
                        settings={"node": {"name": None}, "log": {"level": "debug"}, "attach": {"timeout": 3000},
                                  "store": {"kind": "kube", "kubeconfig": str(kubeconfig)}, **settings})
    port = f"to-{lab.prefix[3:-1]}"
    run(["ip", "link", "add", "api", "netns", node.ns, "type", "veth", "peer", "name", port, "netns", apiserver.ns])
    run(f"ip link set {port} master cluster up", ns=apiserver.ns)
    run("ip address add 192.0.2.11/24 dev api", ns=node.ns)
    run("ip link set api up", ns=node.ns)
    return node


class KubePod(Pod):
    """A pod whose wishes are in the API, not in the network configuration."""

    def __init__(self, node, obj, container=None):
        meta = obj["metadata"]
        super().__init__(node, meta["name"], meta["namespace"])
        self.uid = meta["uid"]
        self.container = container or self.container

    def cni(self, command, **options):
        return self.node.cni(
            command, container=self.container, netns=options.pop("netns", self.netns), ifname=self.ifname,
            args={"IgnoreUnknown": 1, "K8S_POD_NAMESPACE": self.namespace, "K8S_POD_NAME": self.name,
                  "K8S_POD_UID": self.uid, "K8S_POD_INFRA_CONTAINER_ID": self.container}, **options)


def attach(node, obj):
    pod = KubePod(node, obj)
    node.lab.pods[pod.name] = pod
    return pod.create().attach()


def wait_known(node, obj):
    """Until the daemon's cache has it: in a while only, if the API server was away."""
    kind, name = obj["kind"].lower(), obj["metadata"]["name"]
    wait_until(lambda: name in {i["metadata"]["name"] for i in node.get(kind)}, f"{name} on the node", timeout=90)


def started(node, kube, name, **options):
    """A pod that is up, its addresses there before."""
    obj = kube.pod(name, **options)
    instance = kube.ipinstance(obj)
    wait_known(node, instance)
    wait_known(node, obj)
    return attach(node, obj), instance
