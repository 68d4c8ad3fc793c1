"""A real Kubernetes API: etcd and kube-apiserver in a network namespace.

Nothing of it is reached from the machine's own namespace. A test's programs run inside (start(),
run()); the test itself asks with kubectl() or request(), whose connections are made inside.
"""
import copy
import http.client
import json
import os
import pathlib
import secrets
import shutil
import socket
import ssl
import time

from . import netns
from .certificates import Authority, rsa_key, sign_token
from .shell import CommandError, Process, run, wait_until

KUBERNETES = pathlib.Path(os.environ.get(
    "STRATA_KUBERNETES", pathlib.Path(os.environ.get("STRATA_CACHE", "/var/cache/strata")) / "kubernetes"))
CRDS = pathlib.Path(__file__).resolve().parents[2] / "config/crds"

PORT = 6443
PROXY_PORT = 6444  # for a proxy of a test: the server's certificate is good there too
ETCD_PORT = 2379
ISSUER = "https://kubernetes.default.svc"
SERVICES = "10.96.0.0/16"
GROUP = "networking.alibaba.com"
KINDS = ("ipinstances", "subnets", "networks", "nodeinfoes")

# What whom the server answered, without the tests' own requests and the cluster's: one line of JSON
# each. See requests().
AUDIT_POLICY = {
    "apiVersion": "audit.k8s.io/v1", "kind": "Policy", "omitStages": ["RequestReceived"],
    "rules": [
        {"level": "None", "userGroups": ["system:masters", "system:nodes"]},
        {"level": "Metadata", "userGroups": ["system:serviceaccounts", "strata:test"]},
        {"level": "None"},
    ],
}


def program(name):
    path = KUBERNETES / "bin" / name
    if not path.exists():
        raise CommandError(f"{path} is missing; tests/setup/kubernetes {KUBERNETES} all makes it")
    return path


def _reference(obj):
    return {"name": obj["metadata"]["name"], "uid": obj["metadata"]["uid"]}


class _Connection(http.client.HTTPSConnection):
    def __init__(self, ns, port, context):
        super().__init__("127.0.0.1", port, context=context, timeout=60)
        self._ns, self._tls = ns, context

    def connect(self):
        plain = netns.connect(self._ns, self.host, self.port)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # a request goes in two parts
        self.sock = self._tls.wrap_socket(plain, server_hostname=self.host)


class Component:
    """A program that can be stopped, killed and started again."""

    def __init__(self, name, argv, log, ns):
        self.name, self.argv, self.log, self.ns = name, argv, log, ns
        self.process = None

    def start(self):
        self.process = Process.start(self.argv, self.log, ns=self.ns)

    def stop(self):
        if self.process is not None:
            self.process.stop()

    def kill(self):
        """SIGKILL: no connection is closed in an orderly way."""
        if self.process is not None:
            self.process.kill()

    def alive(self):
        return self.process is not None and self.process.alive()

    def log_text(self):
        return self.process.log_text() if self.process else ""


class ApiServer:
    """`address` is the server's own, which nodes reach; from inside the namespace it is 127.0.0.1 too.
    `arguments` are more flags for kube-apiserver."""

    def __init__(self, ns, directory, address="192.0.2.1", arguments=()):
        self.ns, self.directory, self.address = ns, pathlib.Path(directory), address
        self.pki = self.directory / "pki"
        self.kubeconfig = self.directory / "admin.kubeconfig"
        self.audit = self.directory / "audit.log"
        self.authority = None
        self.etcd = None
        self.server = None
        self.tokens = {}
        self.components = []
        self._arguments = list(arguments)
        self._connection = None
        self._number = 0

    # ── life ──────────────────────────────────────────────────────────────────────────────────────

    def start(self, users=()):
        """users: more (name, group) pairs for user_token(), known from the start."""
        self.directory.mkdir(parents=True, exist_ok=True)
        self.authority = Authority(self.pki)
        rsa_key(self.pki / "accounts.key")
        self.new_certificate()
        for name, group in (("admin", "system:masters"), *users):
            self.tokens[name] = secrets.token_hex(16)
            with open(self.pki / "tokens.csv", "a") as f:
                f.write(f'{self.tokens[name]},{name},{name},"{group}"\n')
        (self.directory / "audit.yaml").write_text(json.dumps(AUDIT_POLICY))
        self.write_kubeconfig(self.kubeconfig, self.tokens["admin"])
        self.etcd = Component("etcd", self._etcd_arguments(), self.directory / "etcd.log", self.ns)
        self.server = Component("kube-apiserver", self._server_arguments(), self.directory / "kube-apiserver.log", self.ns)
        self.etcd.start()
        self.server.start()
        self.wait_ready()
        return self

    def _etcd_arguments(self):
        client, peer = f"http://127.0.0.1:{ETCD_PORT}", f"http://127.0.0.1:{ETCD_PORT + 1}"
        return [program("etcd"), "--name=test", f"--data-dir={self.directory}/etcd", "--log-level=warn",
                f"--listen-client-urls={client}", f"--advertise-client-urls={client}", f"--listen-peer-urls={peer}",
                f"--initial-advertise-peer-urls={peer}", f"--initial-cluster=test={peer}",
                "--quota-backend-bytes=8589934592", "--auto-compaction-retention=10m"]

    def _server_arguments(self):
        return [program("kube-apiserver"), f"--etcd-servers=http://127.0.0.1:{ETCD_PORT}", "--bind-address=0.0.0.0",
                f"--advertise-address={self.address}", f"--secure-port={PORT}",
                f"--cert-dir={self.pki}", f"--tls-cert-file={self.pki}/server.crt", f"--tls-private-key-file={self.pki}/server.key",
                f"--token-auth-file={self.pki}/tokens.csv", "--authorization-mode=Node,RBAC",
                "--enable-admission-plugins=NodeRestriction", f"--service-cluster-ip-range={SERVICES}",
                "--allow-privileged=true", "--kubelet-preferred-address-types=InternalIP", "--kubelet-timeout=10s",
                f"--service-account-issuer={ISSUER}", f"--service-account-key-file={self.pki}/accounts.key",
                f"--service-account-signing-key-file={self.pki}/accounts.key",
                f"--audit-policy-file={self.directory}/audit.yaml", f"--audit-log-path={self.audit}",
                *self._arguments]

    def new_certificate(self, authority=None):
        """Gives the server another certificate, of the same authority or of another one. A running
        server takes it within a minute, a restarted one at once."""
        alternatives = ["DNS:localhost", "DNS:kubernetes.default.svc", "IP:127.0.0.1", f"IP:{self.address}", "IP:10.96.0.1"]
        certificate, key = (authority or self.authority).issue("server", alternatives)
        if authority is not None:
            shutil.copy(certificate, self.pki / "server.crt")
            shutil.copy(key, self.pki / "server.key")

    def wait_ready(self, timeout=90):
        def ready():
            for component in (self.etcd, self.server):
                if not component.alive():
                    raise CommandError(f"{component.name} ended:\n{component.log_text()[-3000:]}")
            try:
                return self.request("GET", "/readyz")[0] == 200
            except OSError:
                return False

        wait_until(ready, lambda: f"the API server is not ready:\n{self.server.log_text()[-3000:]}", timeout=timeout)

    def apply_crds(self):
        self.kubectl(["apply", "-f", CRDS])
        self.kubectl(["wait", "--for=condition=Established", "--timeout=60s", "crd",
                      *(f"{kind}.{GROUP}" for kind in KINDS)])
        # Established is not served yet.
        for kind in KINDS:
            wait_until(lambda: self.request("GET", f"/apis/{GROUP}/v1/{kind}")[0] == 200, f"{kind} are served")

    def component(self, name, argv):
        """Starts a further program of the cluster beside the server; stop() ends it too."""
        component = Component(name, argv, self.directory / f"{name}.log", self.ns)
        self.components.append(component)
        component.start()
        return component

    def stop(self):
        if self._connection is not None:
            self._connection.close()
        for component in (*reversed(self.components), self.server, self.etcd):
            if component is not None:
                component.kill()

    # ── who may come in ───────────────────────────────────────────────────────────────────────────

    def write_kubeconfig(self, path, token, port=PORT, host=None):
        """A kubeconfig for a token; give PROXY_PORT to go through a proxy of the test."""
        path = pathlib.Path(path)
        path.write_text(json.dumps({
            "apiVersion": "v1", "kind": "Config", "current-context": "test",
            "clusters": [{"name": "test", "cluster": {
                "server": f"https://{host or self.address}:{port}", "certificate-authority": f"{self.pki}/ca.crt"}}],
            "users": [{"name": "test", "user": {"token": token}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
        }, indent=1))
        return path

    def token(self, account, namespace="kube-system", seconds=3600, pod=None):
        """A token of a ServiceAccount, which is made if it is missing; bound to a Pod (the object) as kubelet
        asks for it. May live shorter than the 10 minutes that the API itself grants at least."""
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts"
        status, found = self.request("GET", f"{path}/{account}")
        if status == 404:
            status, found = self.request("POST", path, {"metadata": {"name": account}})
        if status not in (200, 201):
            raise CommandError(f"service account {namespace}/{account}: {status} {found}")
        bound = {"namespace": namespace, "serviceaccount": _reference(found)}
        if pod is not None:
            bound["pod"] = _reference(pod)
        now = int(time.time())
        return sign_token(self.pki / "accounts.key", {
            "iss": ISSUER, "aud": [ISSUER], "sub": f"system:serviceaccount:{namespace}:{account}",
            "iat": now, "nbf": now - 60, "exp": now + seconds, "kubernetes.io": bound,
        }, self.directory)

    def grant(self, account, role="cluster-admin", namespace="kube-system"):
        """Binds a ServiceAccount to a ClusterRole."""
        status, answer = self.request("POST", "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", {
            "metadata": {"name": f"test-{namespace}-{account}-{role}"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
            "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": namespace}]})
        if status not in (201, 409):
            raise CommandError(f"cluster role binding: {status} {answer}")

    # ── asking ────────────────────────────────────────────────────────────────────────────────────

    def kubectl(self, args, input=None, check=True, timeout=120):
        """Runs kubectl (a list, or a string that is split at spaces); returns its standard output."""
        args = args.split() if isinstance(args, str) else args
        return run([program("kubectl"), f"--kubeconfig={self.kubeconfig}", f"--cache-dir={self.directory}/discovery", *args],
                   ns=self.ns, stdin=input, check=check, timeout=timeout)

    def apply(self, *objects):
        """Applies objects (dicts, or YAML as text) as kubectl apply does."""
        # Without the first separator kubectl would take the whole for JSON.
        text = "".join("---\n" + (o if isinstance(o, str) else json.dumps(o)) + "\n" for o in objects)
        return self.kubectl(["apply", "-f", "-"], input=text)

    def connection(self):
        """A connection of the caller's own to the server, made in the namespace."""
        return _Connection(self.ns, PORT, ssl.create_default_context(cafile=str(self.pki / "ca.crt")))

    def request(self, method, path, body=None, content_type="application/json", token=None):
        """One request over a connection that is kept: (HTTP status, decoded answer or its text).
        For what kubectl would take too long for; a lost connection is made anew once."""
        headers = {"Authorization": f"Bearer {token or self.tokens['admin']}", "Content-Type": content_type}
        data = None if body is None else (body if isinstance(body, (str, bytes)) else json.dumps(body))
        for attempt in (1, 2):
            if self._connection is None:
                self._connection = self.connection()
            try:
                self._connection.request(method, path, data, headers)
                answer = self._connection.getresponse()
                text = answer.read().decode(errors="replace")
                break
            except (OSError, http.client.HTTPException) as e:
                self._connection.close()
                self._connection = None
                if attempt == 2:
                    raise OSError(f"{method} {path}: {e}") from e
        try:
            return answer.status, json.loads(text)
        except ValueError:
            return answer.status, text

    def client(self):
        """This API server for another thread to ask: with a connection of its own."""
        other = copy.copy(self)
        other._connection = None
        return other

    def get(self, path):
        """An object or a list that must be there."""
        status, answer = self.request("GET", path)
        if status != 200:
            raise CommandError(f"GET {path}: {status} {answer}")
        return answer

    def objects(self, kind, namespace=None):
        """All objects of one of our kinds, by its plural."""
        inside = f"namespaces/{namespace}/" if namespace else ""
        return self.get(f"/apis/{GROUP}/v1/{inside}{kind}")["items"]

    def wipe(self):
        """Removes every object of our kinds and every Pod, whatever their finalizers want."""
        for base, kind in ((f"/apis/{GROUP}/v1", kind) for kind in KINDS):
            self._wipe(base, kind)
        self._wipe("/api/v1", "pods")

    def _wipe(self, base, kind):
        for item in self.get(f"{base}/{kind}")["items"]:
            meta = item["metadata"]
            inside = f"namespaces/{meta['namespace']}/" if "namespace" in meta else ""
            path = f"{base}/{inside}{kind}/{meta['name']}"
            if meta.get("finalizers"):
                self.request("PATCH", path, {"metadata": {"finalizers": None}}, "application/merge-patch+json")
            self.request("DELETE", f"{path}?gracePeriodSeconds=0")

    def requests(self, user=None, verb=None, resource=None):
        """What service accounts (and users of group strata:test) have asked so far, oldest first: audit
        events, of a user whose name ends like `user`."""
        events = [json.loads(line) for line in open(self.audit)] if self.audit.exists() else []
        return [e for e in events
                if (user is None or e["user"]["username"].endswith(user))
                and (verb is None or e["verb"] == verb)
                and (resource is None or e.get("objectRef", {}).get("resource") == resource)]

    # ── inside ────────────────────────────────────────────────────────────────────────────────────

    def run(self, command, **options):
        """Runs a command in the namespace."""
        return run(command, ns=self.ns, **options)

    def spawn(self, argv, name, env=None):
        """Starts a program in the namespace: a Process, which the caller ends. Its log is NAME.log in
        the server's directory."""
        self._number += 1
        return Process.start(argv, self.directory / f"{name}-{self._number}.log", ns=self.ns, env=env)
