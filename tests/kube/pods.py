"""Pods for a real kubelet, as objects."""
from lab.cluster import BUSYBOX

TYPE = "networking.alibaba.com/network-type"
FAMILY = "networking.alibaba.com/ip-family"


def spec(node=None):
    """A Pod that only is there, and goes at once."""
    out = {
        "terminationGracePeriodSeconds": 0, "automountServiceAccountToken": False,
        "containers": [{"name": "c", "image": BUSYBOX, "imagePullPolicy": "Never", "command": ["/bin/sleep", "1000000"]}],
    }
    if node is not None:
        out["nodeSelector"] = {"kubernetes.io/hostname": node}
    return out


def annotations(network=None, family=None):
    return {**({TYPE: network} if network else {}), **({FAMILY: family} if family else {})}


def pod(name, node=None, network=None, family=None, namespace="default", labels=None):
    return {"apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": name, "namespace": namespace, "annotations": annotations(network, family), "labels": labels or {}},
            "spec": spec(node)}


def stateful_set(name, replicas, network=None, family=None, namespace="default"):
    return {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": name, "namespace": namespace},
            "spec": {"replicas": replicas, "serviceName": name, "podManagementPolicy": "OrderedReady",
                     "selector": {"matchLabels": {"app": name}},
                     "template": {"metadata": {"labels": {"app": name}, "annotations": annotations(network, family)}, "spec": spec()}}}
