"""What the webhooks' tests share: webhook_server in the API server's namespace (the webhooks alone: no controller writes
meanwhile), objects, and the words of a refusal.
"""

import pytest
import yaml

from lab.shell import run, wait_until
from managertool import BUILD, MANIFEST, MERGE, OURS, PREFIX, network

SERVER = BUILD / "tests/kube/webhook_server"
PORT = 9898
HOOKS = "/apis/admissionregistration.k8s.io/v1"
SECRET = "/api/v1/namespaces/kube-system/secrets/strata-webhook"
LEASE = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/strata-admission"


def configurations(port=PORT, mutate=True, bundle=None):
    """(path, object) of the webhook configurations as they are installed, but for a port of this host instead of a Service.
    mutate False: Pods are only validated. bundle: what the webhooks write there themselves."""
    for document in yaml.safe_load_all(MANIFEST.read_text()):
        if document is None or not document["kind"].endswith("WebhookConfiguration"):
            continue
        for hook in document["webhooks"]:
            path = hook["clientConfig"]["service"]["path"]
            hook["clientConfig"] = {"url": f"https://127.0.0.1:{port}{path}", **({"caBundle": bundle} if bundle else {})}
        if document["kind"].startswith("Mutating") and not mutate:
            document["webhooks"] = []
        yield f"{HOOKS}/{document['kind'].lower()}s", document


class Webhook:
    def __init__(self, api):
        self.api, self.processes = api, []

    def start(self, port=PORT):
        process = self.api.spawn([SERVER, self.api.kubeconfig, port, "kube-system", "127.0.0.1"], "webhook")
        self.processes.append(process)
        wait_until(lambda: self.readiness(port) == "200", lambda: f"the webhooks are ready:\n{process.log_text()}")
        return process

    def readiness(self, port):
        return run(f"curl -s -o /dev/null -w %{{http_code}} http://127.0.0.1:{port + 1}/readyz", ns=self.api.ns, check=False)

    def register(self, **options):
        self.uninstall()
        for path, configuration in configurations(**options):
            status, answer = self.api.request("POST", path, configuration)
            assert status == 201, answer

    def install(self, mutate=True):
        """Registers the webhooks anew, with the bundle they have, and waits until the API server asks them."""
        self.register(mutate=mutate, bundle=self.api.get(SECRET)["data"]["ca.crt"])
        self.wait_asked(mutate)

    def wait_asked(self, mutates):
        # Dry runs, for nothing is to stay of them. Bundles are looked at every ten seconds.
        def asked():
            status, answer = self.probe_network()
            if status != 403 or "denied the request" not in answer["message"]:
                return False
            status, pod = try_pod(self.api, pod_object("probe", {}))
            return not mutates or status == 403 or self.is_mutated(pod)

        wait_until(asked, lambda: "the API server asks the webhooks:\n" + "".join(p.log_text()[-2000:] for p in self.processes),
                   timeout=40, interval=0.3)

    def probe_network(self):
        """Creates, in a dry run, one that only the webhooks refuse."""
        return self.api.request("POST", f"{OURS}/networks?dryRun=All", network("probe", {}))

    @staticmethod
    def is_mutated(pod):
        return PREFIX + "handled-by-webhook" in pod["metadata"].get("annotations", {})

    def uninstall(self):
        """Takes the webhooks away, and waits until the API server asks none of them any more."""
        for path, configuration in configurations():
            self.api.request("DELETE", f"{path}/{configuration['metadata']['name']}")

        def forgotten():
            status, pod = try_pod(self.api, pod_object("probe", {}))
            return status == 201 and not self.is_mutated(pod) and self.probe_network()[0] == 201

        wait_until(forgotten, "the API server asks no webhooks", interval=0.1)

    def stop(self):
        codes = [process.stop() for process in self.processes]
        self.processes = []
        return codes


@pytest.fixture(scope="module")
def api(apiserver):
    yield apiserver
    apiserver.wipe()


@pytest.fixture(scope="module")
def webhook(api):
    w = Webhook(api)
    api.wipe()
    api.request("DELETE", SECRET)
    api.request("DELETE", LEASE)
    try:
        w.register()
        w.start()
        w.wait_asked(True)
        yield w
    finally:
        w.uninstall()
        codes = w.stop()
    assert codes == [0] * len(codes)


@pytest.fixture
def clean(webhook):
    """No objects, and no memory of any that were admitted a moment ago."""
    wipe(webhook)
    yield webhook
    wipe(webhook)


def wipe(webhook):
    api = webhook.api
    for process in webhook.processes:
        assert process.alive(), process.log_text()[-3000:]
    api.request("DELETE", LEASE)
    api.wipe()
    for name in [n["metadata"]["name"] for n in api.get("/api/v1/nodes")["items"]]:
        api.request("DELETE", f"/api/v1/nodes/{name}")
    for kind in ("ipinstances", "subnets", "networks"):
        wait_until(lambda: api.objects(kind) == [], f"{kind} are gone")


# ── objects ──────────────────────────────────────────────────────────────────────────────────────────


def subnet(name, spec):
    return {"apiVersion": "networking.alibaba.com/v1", "kind": "Subnet", "metadata": {"name": name}, "spec": spec}


def pod_object(name, annotations, labels=None, spec=None):
    return {"apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": name, "annotations": {PREFIX + k: v for k, v in annotations.items()}, "labels": labels or {}},
            "spec": {"containers": [{"name": "c", "image": "i"}], **(spec or {})}}


def instance(name, network, subnet, ip, pod="", node="", namespace="default"):
    return {"apiVersion": "networking.alibaba.com/v1", "kind": "IPInstance",
            "metadata": {"name": name, "namespace": namespace,
                         "labels": {PREFIX + "subnet": subnet, PREFIX + "network": network, PREFIX + "pod": pod}},
            "spec": {"network": network, "subnet": subnet, "address": {"version": "6" if ":" in ip else "4", "ip": ip,
                                                                      "mac": "02:12:34:00:00:01"},
                     "binding": {"podName": pod, "nodeName": node}}}


def vlan(**members):
    return {"network": "vlan", "range": {"version": "4", "cidr": "192.168.8.0/24", "gateway": "192.168.8.254", **members}}


def other(network, cidr="10.9.0.0/24", version="4", **spec):
    return {"network": network, "range": {"version": version, "cidr": cidr}, **spec}


def create(api, obj):
    """Must be admitted."""
    path = {"Network": "networks", "Subnet": "subnets", "IPInstance": "namespaces/default/ipinstances"}[obj["kind"]]
    status, answer = api.request("POST", f"{OURS}/{path}", obj)
    assert status == 201, answer
    return answer


def set_status(api, kind, name, status):
    code, answer = api.request("PATCH", f"{OURS}/{kind}/{name}/status", {"status": status}, MERGE)
    assert code == 200, answer


def words(status, answer):
    """"" if it was done; else the webhook's own words."""
    if status in (200, 201):
        return ""
    prefix = 'admission webhook "'
    assert answer["message"].startswith(prefix), answer
    return answer["message"].split(' denied the request: ', 1)[1]


def create_words(api, kind, name, spec):
    obj = network(name, spec) if kind == "networks" else subnet(name, spec)
    return words(*api.request("POST", f"{OURS}/{kind}?dryRun=All", obj))


def update_words(api, kind, name, spec):
    obj = api.get(f"{OURS}/{kind}/{name}")
    obj["spec"] = spec
    return words(*api.request("PUT", f"{OURS}/{kind}/{name}?dryRun=All", obj))


def delete_words(api, kind, name):
    return words(*api.request("DELETE", f"{OURS}/{kind}/{name}?dryRun=All"))


def try_pod(api, obj):
    """(status, answer) of a dry run."""
    return api.request("POST", "/api/v1/namespaces/default/pods?dryRun=All", obj)


def pod_words(api, annotations):
    return words(*try_pod(api, pod_object("pod", annotations)))


def mutated(api, annotations, **more):
    """What the Pod gained: annotations without their prefix, and its node selector."""
    status, pod = try_pod(api, pod_object("pod", annotations, **more))
    assert status == 201, pod
    return ({k.removeprefix(PREFIX): v for k, v in pod["metadata"].get("annotations", {}).items()},
            pod["spec"].get("nodeSelector", {}))


def check(rows, ask):
    wrong = [(spec, said, message) for spec, message in rows if (said := ask(spec)) != message]
    assert wrong == []


@pytest.fixture
def pods(clean):
    """Networks and Subnets that Pods may ask for."""
    api = clean.api
    create(api, network("vlan", {"nodeSelector": {"net": "a"}, "netID": 10}))
    create(api, network("overlay", {"type": "Overlay", "netID": 4}))
    create(api, subnet("v4", vlan(cidr="192.168.56.0/24", gateway="192.168.56.1")))
    create(api, subnet("v6", vlan(cidr="fd00::/64", gateway="fd00::1", version="6")))
    create(api, subnet("o4", other("overlay", cidr="100.64.0.0/16")))
    return clean
