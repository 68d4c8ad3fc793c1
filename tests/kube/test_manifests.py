"""The chart and the plain manifests: the same, and taken by a real API server."""
import importlib.machinery
import importlib.util
import pathlib
import subprocess

import pytest
import yaml

CONFIG = pathlib.Path(__file__).resolve().parents[2] / "config"


def render(*arguments):
    done = subprocess.run([CONFIG / "chart/render", *arguments], text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def rendered(*arguments):
    return {(d["kind"], d["metadata"]["name"]): d for d in yaml.safe_load_all(render(*arguments))}


def test_the_plain_manifests_are_what_the_chart_makes_with_nothing_set():
    assert render() == (CONFIG / "manifests/strata.yaml").read_text(), "run config/chart/render >config/manifests/strata.yaml"


def test_the_chart_has_the_same_crds():
    assert (CONFIG / "chart/crds").resolve() == CONFIG / "crds"


def test_a_real_api_server_takes_every_object(apiserver):
    apiserver.kubectl(["create", "namespace", "manifests"], check=False)
    answer = apiserver.kubectl(["apply", "--dry-run=server", "-f", "-"], input=render("--namespace", "manifests"))
    assert all("dry run" in line for line in answer.splitlines())
    assert len(answer.splitlines()) == len(rendered())


def test_values_arrive_where_they_are_documented_to():
    objects = rendered("--set", "node.uplink=eth1", "--set", "defaultNetworkType=Underlay", "--set", "apiServer.host=192.0.2.1",
                       "--set", "apiServer.port=6443", "--set", "node.hugepages={hugepages-2Mi: 512Mi}",
                       "--set", "node.resources={requests: {cpu: 1, memory: 1Gi}}", "--set", "image.tag=t1",
                       "--set", "manager.webhookPort=19898", "--set", "manager.podLabelSelector=app in (a)")
    node = objects["DaemonSet", "strata-node"]["spec"]["template"]["spec"]["containers"][0]
    env = {e["name"]: e.get("value") for e in node["env"]}
    assert env["STRATA_UPLINK"] == "eth1" and env["DEFAULT_NETWORK_TYPE"] == "Underlay"
    assert env["KUBERNETES_SERVICE_HOST"] == "192.0.2.1" and env["KUBERNETES_SERVICE_PORT"] == "6443"
    assert node["image"].endswith("/strata:t1")
    assert node["resources"] == {"requests": {"cpu": 1, "memory": "1Gi"}, "limits": {"hugepages-2Mi": "512Mi"}}
    command = objects["Deployment", "strata-manager"]["spec"]["template"]["spec"]["containers"][0]["command"]
    assert {"--webhook-port=19898", "--pod-label-selector=app in (a)", "--kube-client-qps=0"} <= set(command)
    assert objects["Service", "strata-webhook"]["spec"]["ports"][0]["targetPort"] == 19898


def test_hugepages_are_a_limit_beside_those_of_the_resources():
    def resources(*settings):
        objects = rendered(*(word for s in settings for word in ("--set", f"node.{s}")))
        return objects["DaemonSet", "strata-node"]["spec"]["template"]["spec"]["containers"][0]["resources"]

    requests, huge = {"cpu": "200m", "memory": "256Mi"}, {"hugepages-2Mi": "512Mi"}
    assert resources() == {"requests": requests}
    assert resources("hugepages={hugepages-2Mi: 512Mi}") == {"requests": requests, "limits": huge}
    assert resources("resources.limits={cpu: 2}") == {"requests": requests, "limits": {"cpu": 2}}
    assert resources("resources.limits={cpu: 2}", "hugepages={hugepages-2Mi: 512Mi}") == {
        "requests": requests, "limits": {"cpu": 2, **huge}}


def test_a_template_that_says_what_only_helm_knows_is_refused():
    loader = importlib.machinery.SourceFileLoader("render", str(CONFIG / "chart/render"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("render", loader))
    loader.exec_module(module)
    for template in ("{{ lookup .Values.a }}", "{{ .Values.b }}", "{{ range .Values.a }}", "{{ if .Values.a }}"):
        with pytest.raises(module.TemplateError):
            module.render(template, {"Values": {"a": 1}})
    assert module.render("x:\n  {{- if .Values.a }}\n  y: {{ .Values.a | quote }}\n  {{- else }}\n  z: 0\n  {{- end }}\n",
                         {"Values": {"a": 1}}) == 'x:\n  y: "1"\n'


def test_no_account_may_do_more_than_it_must():
    objects = rendered()
    rules = objects["ClusterRole", "strata-node"]["rules"]
    writes = {r for rule in rules for r in rule["resources"] if set(rule["verbs"]) - {"get", "list", "watch"}}
    assert writes == {"nodeinfoes", "nodeinfoes/status", "ipinstances/status", "events"}
    for (kind, _), o in objects.items():
        if kind in ("ClusterRole", "Role"):
            text = [v for rule in o["rules"] for v in rule["verbs"] + rule["resources"] + rule["apiGroups"]]
            assert "*" not in text
            assert not any("secrets" in rule["resources"] for rule in o["rules"]) or kind == "Role"
