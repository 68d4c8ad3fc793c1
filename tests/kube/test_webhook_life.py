"""The life of the webhooks in a real API server: their certificate, and what happens without them."""
import base64
import re
import time

from lab.shell import run, wait_until
from managertool import DEFAULT_OVERLAY, FAST, MERGE, OURS, PREFIX, World, network
from webhooktool import (PORT, SECRET, SERVER, api, clean, configurations, create_words, mutated, pod_object, pods, try_pod,
                         webhook, wipe)

# ── registration ─────────────────────────────────────────────────────────────────────────────────────


def test_the_webhooks_are_registered_as_hybridnets_are(clean):
    hooks = {hook["name"]: hook for _, c in installed(clean.api) for hook in c["webhooks"]}
    ignored = {"matchExpressions": [{"key": "webhook.hybridnet.io/ignore", "operator": "NotIn", "values": ["TRUE", "true"]},
                                    {"key": "app", "operator": "NotIn", "values": ["kube-proxy"]}]}

    def seen(name):
        hook = hooks[name]
        (rule,) = hook["rules"]
        return (rule["apiGroups"], rule["resources"], rule["operations"], hook["failurePolicy"], hook["timeoutSeconds"],
                hook["objectSelector"], hook.get("reinvocationPolicy"))

    pods = ([""], ["pods"], ["CREATE"], "Ignore", 10, ignored)
    assert seen("hybridnet-v1.validating.hybridnet") == (
        ["networking.alibaba.com"], ["networks", "subnets"], ["CREATE", "UPDATE", "DELETE"], "Fail", 10, {}, None)
    assert seen("core-v1.validating.hybridnet") == (*pods, None)
    assert seen("core-v1.mutating.hybridnet") == (*pods, "Never")
    assert {(h["matchPolicy"], tuple(sorted(h["admissionReviewVersions"]))) for h in hooks.values()} == {("Equivalent", ("v1", "v1beta1"))}


def handshake(api, *options):
    """The cipher of a TLS connection to the webhooks, None if there is none."""
    out = run(["bash", "-c", f"openssl s_client -connect 127.0.0.1:{PORT} {' '.join(options)} </dev/null 2>&1"], ns=api.ns, check=False)
    found = re.search(r"Cipher is (\S+)", out)
    return found[1] if found and found[1] != "(NONE)" else None


def test_old_tls_is_not_spoken(clean):
    api = clean.api
    assert handshake(api, "-tls1_3") and handshake(api, "-tls1_2")
    weak = "-cipher", "ALL:@SECLEVEL=0"
    assert handshake(api, "-tls1_1", *weak) is None and handshake(api, "-tls1", *weak) is None
    for cipher in ("ECDHE-ECDSA-AES128-SHA", "ECDHE-ECDSA-AES256-SHA"):  # CBC
        assert handshake(api, "-tls1_2", "-cipher", f"{cipher}:@SECLEVEL=0") is None, cipher


# ── the certificate ──────────────────────────────────────────────────────────────────────────────────


def installed(api):
    return [(f"{path}/{c['metadata']['name']}", api.get(f"{path}/{c['metadata']['name']}")) for path, c in configurations()]


def bundles(api):
    return {hook["clientConfig"].get("caBundle", "") for _, c in installed(api) for hook in c.get("webhooks", [])}


def test_the_certificate_is_kept_in_a_secret_and_the_bundle_written(clean):
    api = clean.api
    secret = api.get(SECRET)
    assert secret["type"] == "kubernetes.io/tls"
    assert set(secret["data"]) == {"ca.crt", "ca.key", "tls.crt", "tls.key"}
    assert bundles(api) == {secret["data"]["ca.crt"]}
    text = run(["openssl", "x509", "-noout", "-text"], stdin=base64.b64decode(secret["data"]["tls.crt"]).decode())
    assert "DNS:strata-webhook.kube-system.svc" in text and "IP Address:127.0.0.1" in text and "prime256v1" in text


def test_a_bundle_that_somebody_changed_is_written_again(clean):
    api = clean.api
    bundle = api.get(SECRET)["data"]["ca.crt"]
    for path, configuration in installed(api):
        for hook in configuration["webhooks"]:
            hook["clientConfig"].pop("caBundle")
        status, answer = api.request("PUT", path, configuration)
        assert status == 200, answer
    assert bundles(api) == {""}
    wait_until(lambda: bundles(api) == {bundle}, "the bundle is back", timeout=30)
    clean.wait_asked(True)


def test_replicas_that_start_at_once_agree_on_one_certificate(clean):
    api = clean.api
    api.request("POST", "/api/v1/namespaces", {"metadata": {"name": "wh-other"}})
    ports = (PORT + 20, PORT + 30, PORT + 40)
    processes = [api.spawn([SERVER, api.kubeconfig, port, "wh-other", "127.0.0.1"], "replica") for port in ports]
    try:
        for port in ports:
            wait_until(lambda: clean.readiness(port) == "200", "a replica is ready")
        served = {run(["bash", "-c", f"openssl s_client -connect 127.0.0.1:{port} </dev/null 2>/dev/null"
                       " | openssl x509 -noout -fingerprint"], ns=api.ns) for port in ports}
        assert len(served) == 1
    finally:
        codes = [p.stop() for p in processes]
        # Nobody led them astray: the bundle they wrote is put right by the one that is asked.
        bundle = api.get(SECRET)["data"]["ca.crt"]
        wait_until(lambda: bundles(api) == {bundle}, "the bundle is back", timeout=30)
        clean.wait_asked(True)
    assert codes == [0, 0, 0]


def replaced(api, certificate):
    """Puts another certificate into the Secret and waits until a replica has replaced that; returns the Secret's data."""
    spoilt = base64.b64encode(certificate[0].encode()).decode()
    data = {"tls.crt": spoilt}
    if certificate[1] is not None:
        data["tls.key"] = base64.b64encode(certificate[1].encode()).decode()
    status, answer = api.request("PATCH", SECRET, {"data": data}, MERGE)
    assert status == 200, answer
    wait_until(lambda: api.get(SECRET)["data"]["tls.crt"] != spoilt, "a new certificate", timeout=60, interval=0.5)
    return api.get(SECRET)["data"]


def test_a_certificate_that_is_spoilt_is_made_anew(clean):
    before = clean.api.get(SECRET)["data"]
    after = replaced(clean.api, ("garbage", None))
    assert after["ca.crt"] == before["ca.crt"]  # by the same CA
    clean.wait_asked(True)


CA_CONFIGURATION = """
[ca]
default_ca = d
[d]
database = {dir}/index
new_certs_dir = {dir}
rand_serial = yes
default_md = sha256
policy = p
[p]
commonName = supplied
[e]
subjectAltName = DNS:strata-webhook.kube-system.svc,DNS:strata-webhook.kube-system.svc.cluster.local,DNS:strata-webhook.kube-system,DNS:strata-webhook,IP:127.0.0.1
"""


def test_a_certificate_is_renewed_before_it_expires(clean, tmp_path):
    api = clean.api
    data = api.get(SECRET)["data"]
    for name in ("ca.crt", "ca.key"):
        (tmp_path / name).write_bytes(base64.b64decode(data[name]))
    (tmp_path / "index").touch()
    (tmp_path / "configuration").write_text(CA_CONFIGURATION.format(dir=tmp_path))
    run(["openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=x",
         "-keyout", tmp_path / "key", "-out", tmp_path / "csr"])
    end = time.strftime("%Y%m%d%H%M%SZ", time.gmtime(time.time() + 100 * 86400))
    run(["openssl", "ca", "-batch", "-config", tmp_path / "configuration", "-extensions", "e", "-notext",
         "-cert", tmp_path / "ca.crt", "-keyfile", tmp_path / "ca.key", "-in", tmp_path / "csr", "-out", tmp_path / "crt",
         "-startdate", "20250101000000Z", "-enddate", end])
    after = replaced(api, ((tmp_path / "crt").read_text(), (tmp_path / "key").read_text()))
    text = base64.b64decode(after["tls.crt"]).decode()
    run(["openssl", "x509", "-noout", "-checkend", str(300 * 86400)], stdin=text)
    assert after["ca.crt"] == data["ca.crt"]
    clean.wait_asked(True)


# ── without the webhooks ─────────────────────────────────────────────────────────────────────────────


def test_without_the_webhooks_pods_are_taken_and_networks_refused(pods):
    api = pods.api
    for process in pods.processes:
        assert process.stop() == 0
    pods.processes.clear()
    try:
        status, pod = try_pod(api, pod_object("pod", {"specified-network": "none"}))
        assert status == 201 and PREFIX + "handled-by-webhook" not in pod["metadata"]["annotations"]
        status, answer = api.request("POST", f"{OURS}/networks", network("new", {"nodeSelector": {"a": "b"}}))
        assert status == 500 and "failed calling webhook" in answer["message"]
        status, answer = api.request("DELETE", f"{OURS}/subnets/o4")
        assert status == 500 and "failed calling webhook" in answer["message"]
    finally:
        pods.start()
        pods.wait_asked(True)


def test_managers_make_the_first_network_through_their_own_webhooks(clean):
    """As installed, with the account's rights: two managers, no certificate, no bundle, no Network, and webhooks that must not
    fail. Then the leader goes, and the other one keeps the bundle."""
    api, port = clean.api, PORT + 50
    for process in clean.processes:
        assert process.stop() == 0
    clean.processes.clear()
    clean.uninstall()
    api.request("DELETE", SECRET)
    wipe(clean)
    clean.register(port=port)
    world = World(api)
    # The API server of this test has no Service to go through: both listen, the second where nobody asks.
    managers = [world.start(f"--webhook-port={port + i}", "--webhook-names=127.0.0.1", "--create-defaults=true", *FAST,
                            env=DEFAULT_OVERLAY) for i in range(2)]
    try:
        wait_until(lambda: [s["metadata"]["name"] for s in api.objects("subnets")],
                   lambda: "a Subnet:\n" + "".join(m.process.log_text()[-2000:] for m in managers), timeout=90)
        (overlay,) = api.objects("networks")
        assert overlay["spec"]["type"] == "Overlay"
        assert create_words(api, "networks", "second", {"type": "Overlay", "netID": 5}) == "must have one overlay network at most"
        annotations, selector = mutated(api, {})
        assert annotations["network-type"] == "Overlay" and selector == {PREFIX + "overlay-network-attachment": "true"}
        leader = next(m for m in managers if m.leads())
        other = next(m for m in managers if m is not leader)
        leader.kill()
        other.wait_leading()
        bundle = api.get(SECRET)["data"]["ca.crt"]
        clean.register(port=port)  # without a bundle
        wait_until(lambda: bundles(api) == {bundle}, lambda: f"the bundle is back:\n{other.process.log_text()[-2000:]}", timeout=40)
    finally:
        world.end()
        clean.uninstall()
        wipe(clean)
        clean.register()
        clean.start()
        clean.wait_asked(True)


def test_reviews_are_counted(clean):
    create_words(clean.api, "networks", "new", {})
    text = run(f"curl -s http://127.0.0.1:{PORT + 1}/metrics", ns=clean.api.ns)
    assert 'strata_admission_reviews_total{kind="Network",webhook="validate",outcome="denied"}' in text
    assert "strata_admission_review_duration_seconds_bucket" in text
